"""The closed lists of methods and reasons: where an answer came from, and why, or why there is none.

Each name is one of `docs/design.md`, with one sentence for a person who reads it in a result. The reference page
`docs/reference/reasons.md` is made from these.
"""

import numpy as np

#: Where an answer came from.
METHODS: dict[str, str] = {
    "capture": "The log itself knew the workload when it recorded the flow.",
    "heartbeat": "Heartbeats force the answer: no other workload can have held the address then.",
    "peer": "The far end of the same connection reported it, and knew its own workload.",
    "socket_rule": "A rule hands the connections to this address and port over to a service, whoever listens where.",
    "assignment": "A control plane's events gave the address to this owner; only for addresses that are no workload's.",
    "label": "The longest known prefix that contains the address names a service; there is no workload.",
    "policy": "Policies hand the address out of a pool that many names are served from; nobody is named.",
    "none": "Unattributed; the reason says why.",
}

#: Why an answer was given, or why not, in the order in which the rules are tried.
REASONS: dict[str, str] = {
    "reported": "The record names its local workload; it was seen at capture.",
    "untimed": "The record does not show when its traffic was: the clock is wrong, or the time is that of an export.",
    "other_network": "There is evidence for the address in another network only, or the flow does not say which.",
    "several_networks": "Networks that a route joins both have evidence for the address, so it may be either's.",
    "conflict": "Two or more workloads were seen around that time, and the evidence cannot tell which one it was.",
    "covered": "One workload was seen without interruption during all of the time asked about, and no other.",
    "bridged": "One workload was seen before and after, its silence no longer than `max_gap`, and no other in between.",
    "within": "One workload, and nobody before it, was seen while the connection lasted, so it was there at its start.",
    "gap": "There is evidence for the address, but none that covers the time asked about.",
    "shared": "Workloads share the address by port, and nothing was seen of the flow's own port.",
    "both_ends": "The far end reported this connection, no other report fits, and nothing speaks against its workload.",
    "silent": "The address is inside the workload space and nobody was seen there, so no event or label may name it.",
    "dispatched": "By the socket rules one service got the connections to this socket all of the time asked about.",
    "rule_change": "The socket rules change the service in the time asked about, or two of one priority contest it.",
    "assigned": "By the control plane's events one owner held the address during all of the time asked about.",
    "assignment_change": (
        "The control plane's events change or contest the owner in the time asked about, or give single ports away and "
        "the flow's is not known."
    ),
    "prefix": "The address is no workload's and lies in a labelled prefix.",
    "pooled": "The address is of a pool, where addresses are handed out by policy and are no service's.",
    "unpooled": "The address is one of `pool_prefixes`, but of no pool that any policy had.",
    "unknown": "Nothing at all is known about the address.",
    "too_old": "The flow is so long, or came so late, that evidence about its start may be forgotten (`retention`).",
    "region_silent": "The address is another region's, which did not answer within `peer_patience` or cannot be asked.",
}

#: Number of each reason in columns of codes, by the type of these columns: its place in `REASONS`.
CODES: dict[str, np.uint8] = {name: np.uint8(code) for code, name in enumerate(REASONS)}

#: The reasons of sides that networks leave open, so that nothing else may answer them either.
CLOSED = ("other_network", "several_networks")

#: The method behind each reason.
METHOD_OF: dict[str, str] = {
    "reported": "capture",
    "untimed": "none",
    "other_network": "none",
    "several_networks": "none",
    "conflict": "none",
    "covered": "heartbeat",
    "bridged": "heartbeat",
    "within": "heartbeat",
    "gap": "none",
    "shared": "none",
    "both_ends": "peer",
    "silent": "none",
    "dispatched": "socket_rule",
    "rule_change": "none",
    "assigned": "assignment",
    "assignment_change": "none",
    "prefix": "label",
    "pooled": "policy",
    "unpooled": "none",
    "unknown": "none",
    "too_old": "none",
    "region_silent": "none",
}

#: Why there is one hostname or none, in the order in which the rules are tried.
HOSTNAME_REASONS: dict[str, str] = {
    "recorded": "The record itself carries the name (TLS SNI, HTTP Host).",
    "told": "The client was told this address for this one name, and for no other, in the time asked about.",
    "incomplete": (
        "The client was told this address for one name, but the address is of `pool_prefixes` and not all that the "
        "client was told is known (`named_prefixes`), so there may be others."
    ),
    "several": "The client was told this address for several names; `hostname_candidates` has them.",
    "other_network": (
        "The client was told this address in another network only, or the address of the server is another network's."
    ),
    "untold": "Nothing that the client was told leads to the address.",
    "untimed": "The record does not show when the traffic was.",
    "too_old": "The flow came so late that some of what the client was told may be forgotten (`retention`).",
}

#: Number of each of these in columns of codes, by the type of these columns: its place in `HOSTNAME_REASONS`.
HOSTNAME_CODES: dict[str, np.int32] = {name: np.int32(code) for code, name in enumerate(HOSTNAME_REASONS)}
