"""Why a sound row carries no record: the closed list of reasons of each format, counted in a run's summary."""

_FLOW_LOG = {
    "no_data": "The interface saw no traffic in the window (`NODATA`), or the row names no address.",
    "skip_data": "The flow log service lost the records of the window (`SKIPDATA`).",
    "rejected_traffic": "Security group or network ACL let nothing through (`REJECT`): the traffic reached nobody.",
}

#: Reasons that any format may have, also a source whose format is not known.
ANY_FORMAT: dict[str, str] = {
    "empty_file": "The file has no content; rotated logs often have not.",
    "other_kind": (
        "The row is a record, but not of the kind that its option asks for: flows given as `--labels`, say. Give the "
        "file as `--flows` to use all that is in it."
    ),
}

#: Format -> reason -> what it means.
REASONS: dict[str, dict[str, str]] = {
    "vpc": _FLOW_LOG,
    "vpc_parquet": _FLOW_LOG,
    "zeek": {
        "other_log": "A row of a log that is not read: only conn, dns, ssl, http and dhcp are.",
        "dns_error": "A DNS query that failed or was rejected.",
        "no_address_query": "A DNS query for something else than an address (A, AAAA).",
        "no_answer": "A DNS query without an address among its answers.",
        "no_lease": "A DHCP exchange that ends without an address that the client may use, or names no client.",
        "name_of_connection": "A row of ssl or http whose hostname is kept for the connection's own row.",
        "no_name": "A row of ssl or http without a server name or Host.",
        "name_forgotten": "A kept hostname given up for a later one, because more than memory allows came before conn.",
    },
    "hubble": {
        "reply": "A packet back: the flow is counted the way in which it was opened. Its pods are heartbeats.",
        "dropped": "Cilium let nothing through, or failed: nothing reached anybody, and a source may be forged.",
        "no_verdict": "An event whose verdict is neither that the packet passed nor that it was dropped, as a trace.",
        "socket_event": "A socket's translation of a service address, not a packet.",
        "no_address": "A packet without IP addresses.",
        "no_answer": "A DNS answer without addresses.",
        "other_event": "A message of the agent, of the node's state, or of events that were lost.",
    },
    "netobserv": {
        "duplicate": "The same traffic, reported by another interface or node, or exported twice.",
        "connection_update": "A connection's start or heartbeat: what it counts is counted again at its end.",
        "not_ip": "A frame that is neither IPv4 nor IPv6.",
    },
    "goflow2": {
        "not_ip": "A record whose ethertype is neither IPv4 nor IPv6.",
    },
    "kubernetes": {
        "no_pod": "An object that is no pod.",
        "no_address": "A pod without an address, as yet or any more.",
        "no_proof": "A pod of which nothing says when it had its address: no container runs or ran.",
        "host_network": "A host-network pod that declares no port: nothing of the node's address is its own.",
        "host_network_unknown": "A patch that does not say whether the address is the pod's or the node's.",
        "other_resource": "An audit event about something else than pods.",
        "other_stage": "An audit event before the response is complete; another one of the same request follows.",
        "failed_request": "An audit event of a request that failed.",
        "delete": "A deletion: the pod gave its address back before, nobody says when.",
        "metadata_level": "An audit event of level Metadata: it has no pod in it. Log pods' status at level Request.",
    },
    "cloudtrail": {
        "other_event": "An event that says nothing about addresses.",
        "request_failed": "A request with an error code, which changed nothing; a dry run is one.",
        "unknown_interface": "An event about an interface that no event of the run made.",
        "unknown_instance": "An event about an instance that no event of the run launched.",
        "unknown_gateway": "A deleted NAT gateway that no event of the run made.",
        "unknown_allocation": "An association of a public address that no event of the run allocated.",
        "unknown_association": "A disassociation of what no event of the run associated.",
    },
    "dnstap": {
        "other_message": "A query, or what a resolver was told for its own cache.",
        "no_message": "An answer without its text: the server does not log it.",
        "dns_error": "A DNS query that failed.",
        "no_address_query": "A DNS query for something else than an address (A, AAAA).",
        "no_answer": "A DNS query without an address among its answers.",
    },
    "route53_resolver": {
        "dns_error": "A DNS query that failed.",
        "no_address_query": "A DNS query for something else than an address (A, AAAA).",
        "no_answer": "A DNS query without an address among its answers.",
    },
    "policies": {
        "never_in_force": "A prefix that is of its pool at no time at which the policy or rule is in force.",
    },
    "aws_ip_ranges": {
        "general_service": "`AMAZON` or `EC2` for a prefix that also belongs to a special service.",
    },
}


def is_known(source_format: str, reason: str) -> bool:
    """Whether the format may leave out a row for that reason."""
    return reason in ANY_FORMAT or reason in REASONS.get(source_format, {})
