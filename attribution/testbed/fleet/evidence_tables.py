"""Canonical Arrow tables of what is known about a fleet: heartbeats, events, DNS answers, labels."""

import pyarrow as pa

from attribution.config import SECOND
from attribution.core.columnar.types import Bool
from attribution.schema import HEARTBEAT, LABEL, NAME_BINDING, arrow_schema
from attribution.testbed.fleet.evidence import DNS_TTL, Events, Heartbeats, Names
from attribution.testbed.fleet.networks import network_name
from attribution.testbed.fleet.tables import EVENTS
from attribution.testbed.fleet.texts import (
    FleetTexts,
    address_column,
    constant_column,
    either_column,
    filled,
    region_names,
    time_column,
)
from attribution.testbed.fleet.traffic import Flows
from attribution.testbed.fleet.translation import Sessions
from attribution.testbed.fleet.world.addresses import address_text, region_prefixes
from attribution.testbed.fleet.world.catalogue import Catalogue
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind

_EVENT_KINDS = {Kind.WORKLOAD: "pod", Kind.PORT_OWNER: "task", Kind.LOAD_BALANCER: "load_balancer"}


def heartbeat_table(texts: FleetTexts, heartbeats: Heartbeats, told: Bool) -> pa.Table:
    """Explicit heartbeats, instants; `told` says which of them tell their network."""
    time = time_column(heartbeats.time)
    columns = {
        "address": texts.address(heartbeats.tenure),
        "network": texts.network(heartbeats.tenure, told),
        **texts.owned(heartbeats.tenure),
        "workload": texts.workload(heartbeats.tenure),
        "service": texts.service(heartbeats.tenure),
        "start": time,
        "end": time,
        "observer": texts.host(heartbeats.host),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(HEARTBEAT)), schema=arrow_schema(HEARTBEAT))


def assignment_table(texts: FleetTexts, events: Events, told: Bool) -> pa.Table:
    """Assignment events without the time of their delivery; `told` says which of them tell their network."""
    return event_table(texts, events, told).drop_columns(["received"])


def event_table(texts: FleetTexts, events: Events, told: Bool | None = None) -> pa.Table:
    """Assignment events with the time of their delivery; all of them tell their network, or those that `told` says."""
    kinds = pa.array([_EVENT_KINDS[Kind(i)] for i in range(Kind.LOAD_BALANCER + 1)])
    columns = {
        "address": texts.address(events.tenure),
        "network": texts.network(events.tenure, told),
        **texts.owned(events.tenure),
        "owner": texts.workload(events.tenure),
        "service": texts.service(events.tenure),
        "kind": kinds.take(pa.array(texts.fleet.kind[events.tenure])),
        "action": either_column(events.release, "release", "assign"),
        "time": time_column(events.time),
        "received": time_column(events.received),
    }
    return pa.Table.from_pydict(filled(columns, EVENTS), schema=EVENTS)


def session_table(texts: FleetTexts, sessions: Sessions) -> pa.Table:
    """The events of translators' sessions, as `event_table`."""
    columns = {
        "address": address_column(sessions.address),
        "network": texts.network(sessions.client),
        "port": pa.array(sessions.port, pa.int32()),
        "protocol": pa.array(sessions.protocol, pa.int32()),
        "owner": texts.workload(sessions.client),
        "service": texts.service(sessions.client),
        "kind": constant_column("nat_session", pa.string(), len(sessions.port)),
        "action": either_column(sessions.release, "release", "assign"),
        "time": time_column(sessions.time),
        "received": time_column(sessions.received),
    }
    return pa.Table.from_pydict(filled(columns, EVENTS), schema=EVENTS)


def name_table(texts: FleetTexts, names: Names, flows: Flows, told: Bool) -> pa.Table:
    """DNS answers: `api.partner-1.example` and two other names for one address.

    `told` says which of them tell the network of their client.
    """
    local, remote = flows.local[names.flow], flows.remote[names.flow]
    variants = pa.array(["api", "cdn", "www"]).take(pa.array(names.variant))
    services = texts.service(remote)
    hostnames = [f"{v}.{s}.example" for v, s in zip(variants.to_pylist(), services.to_pylist(), strict=True)]
    columns = {
        "client_address": texts.address(local),
        "client_prefix": pa.nulls(len(names), pa.string()),
        "server_address": texts.address(remote),
        "hostname": pa.array(hostnames, pa.string()),
        "network": texts.network(local, told),
        "time": time_column(names.time),
        "ttl": constant_column(DNS_TTL / SECOND, pa.float64(), len(names)),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(NAME_BINDING)), schema=arrow_schema(NAME_BINDING))


def region_rows(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Each prefix of a region, and the region."""
    return [
        (f"{address_text(first)}/{length}", name)
        for number, name in enumerate(region_names(catalogue))
        for first, length in region_prefixes(number)
    ]


def label_table(fleet: Fleet) -> pa.Table:
    """One /24 prefix for each labelled service outside the fleet.

    If there are several networks, a prefix is labelled in one of them. Every other label of a prefix that is labelled
    once only holds in all networks.
    """
    labels = fleet.catalogue.labels
    bases = [base for base, _ in labels]
    zone = fleet.catalogue.zone[[service for _, service in labels]].tolist() if labels else []
    several = fleet.catalogue.networks > 1
    networks = [
        network_name(number) if several and (bases.count(base) > 1 or nth % 2 == 0) else None
        for nth, (base, number) in enumerate(zip(bases, zone, strict=True))
    ]
    columns = {
        "prefix": pa.array([f"{address_text(base)}/24" for base, _ in labels], pa.string()),
        "service": pa.array([fleet.catalogue.names[service] for _, service in labels], pa.string()),
        "network": pa.array(networks, pa.string()),
        "kind": constant_column("partner", pa.string(), len(labels)),
        "region": pa.nulls(len(labels), pa.string()),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(LABEL)), schema=arrow_schema(LABEL))
