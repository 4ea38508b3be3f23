"""Addresses that policies hand out: the rules that give their sockets to services, and the policies, as tables."""

import numpy as np
import pyarrow as pa

from attribution.core.addressing.sockets import split_sockets
from attribution.core.columnar.types import Int64
from attribution.schema import POLICY, SOCKET_RULE, TIMESTAMP, arrow_schema
from attribution.testbed.fleet.networks import network_name, pooled_prefix
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.addresses import HANDED_OUT, address_text
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind


def make_rules(fleet: Fleet, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The tenures whose socket rules attribution gets to know."""
    rows = np.flatnonzero(fleet.kind == Kind.POOL)
    return rows[rng.random(len(rows)) >= scenario.rule_loss]


def rule_table(fleet: Fleet, tenures: Int64) -> pa.Table:
    """The socket rules (`schemas/socket_rule.avsc`) of tenures: who gets the connections to one socket, and when."""
    held = fleet.tenures
    service = fleet.catalogue.slot_service[held.slot[tenures]]
    protocol, port = split_sockets(fleet.key_socket[held.key[tenures]])
    columns = {
        "rule": pa.array([f"rule-{tenure}" for tenure in tenures.tolist()], pa.string()),
        "prefix": pa.array([f"{address_text(n)}/32" for n in fleet.key_address[held.key[tenures]].tolist()]),
        "network": _networks(fleet.zone(tenures), fleet.catalogue.networks),
        "port": pa.array(port, pa.int32()),
        "protocol": pa.array(protocol, pa.int32()),
        "service": pa.array([fleet.catalogue.names[number] for number in service.tolist()], pa.string()),
        "start": pa.array(held.start[tenures]).cast(TIMESTAMP),
        "end": pa.array(held.end[tenures]).cast(TIMESTAMP),
    }
    return _table(columns, arrow_schema(SOCKET_RULE))


def policy_table(scenario: Scenario) -> pa.Table:
    """The policies (`schemas/policy.avsc`): one for the first addresses of each zone, and of those of all networks.

    No policy is about the other handed-out addresses.
    """
    zone = np.arange(scenario.zones if scenario.pool_services else 0)
    own = [pooled_prefix(HANDED_OUT.start(number)) for number in zone.tolist()]
    common = [pooled_prefix(HANDED_OUT.common())] * len(zone) if scenario.networks > 1 else []
    number = np.r_[zone, zone[: len(common)]]
    columns = {
        "policy": pa.array([f"policy-{n + 1}" for n in number.tolist()], pa.string()),
        "pool": pa.array([f"pool-{n + 1}" for n in number.tolist()], pa.string()),
        "prefix": pa.array([*own, *common], pa.string()),
        "network": _networks(number, scenario.networks),
    }
    return _table(columns, arrow_schema(POLICY))


def _networks(zone: Int64, networks: int) -> pa.Array:
    if networks == 1:
        return pa.nulls(len(zone), pa.string())
    return pa.array([network_name(number) for number in range(networks)]).take(pa.array(zone))


def _table(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    rows = len(columns["prefix"])
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema]
    return pa.table(arrays, schema=schema)
