"""Makes canonical Arrow tables of the numbers of a world with names, and the truth of its flows."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from attribution.config import SECOND
from attribution.core.columnar.arrays import order_by
from attribution.core.columnar.types import Int64
from attribution.schema import FLOW, NAME_BINDING, POLICY, SOCKET_RULE, TIMESTAMP, arrow_schema
from attribution.testbed.fleet.tables import TRUTH
from attribution.testbed.fleet.texts import filled
from attribution.testbed.fleet.world.addresses import IPV6, address_text
from attribution.testbed.fleet.world.kinds import Kind
from attribution.testbed.pools.flows import Records
from attribution.testbed.pools.plan import ALWAYS, ANY, FOREVER, REGIONS, Account, Plan, Policy, PolicyState, SocketRule
from attribution.testbed.pools.traffic import Answers, Connections, twin
from attribution.testbed.pools.world import ECS_RESOLVERS, NETWORK_BITS, RESOLVERS, TWIN, Resolving, World

#: `truth.parquet` of a world with names: beside who was at either side, what the connections of a flow were opened for.
AGILITY_TRUTH = pa.schema(
    [
        *TRUTH,
        pa.field("server_side", pa.string(), nullable=False),
        pa.field("hostname", pa.string()),
        pa.field("connections", pa.int32(), nullable=False),
        pa.field("names_carried", pa.int32(), nullable=False),
        pa.field("answers_known", pa.bool_(), nullable=False),
        pa.field("pool", pa.string()),
        pa.field("policy", pa.string()),
        pa.field("policy_state", pa.string()),
    ]
)


def _times(values: Int64) -> pa.Array:
    return pa.array(values, pa.int64()).cast(TIMESTAMP)


def _addresses(numbers: Int64) -> pa.Array:
    """Canonical text of each address number."""
    distinct, place = np.unique(numbers, return_inverse=True)
    return pa.array([address_text(n) for n in distinct.tolist()], pa.string()).take(pa.array(place))


def prefix_text(first: int, size: int) -> str:
    """Text of the prefix of `size` addresses that begins with that number."""
    return f"{address_text(first)}/{(32 if first < IPV6 else 128) - size.bit_length() + 1}"


def _moment(value: int) -> int | None:
    return None if value in {ALWAYS, FOREVER} else value


class WorldTexts:
    """Texts of hostnames, observers and places, as Arrow arrays."""

    def __init__(self, world: World) -> None:
        self.world = world

    @cached_property
    def hostnames(self) -> pa.Array:
        """The hostname of every name."""
        accounts = self.world.account.tolist()
        return pa.array([f"site-{i}.{Account(a).text}.example" for i, a in enumerate(accounts)], pa.string())

    def observers(self, numbers: Int64) -> pa.Array:
        """The text of each observer."""
        names = pa.array([f"observer-{i}" for i in range(len(self.world.log))], pa.string())
        return names.take(pa.array(numbers))

    @staticmethod
    def places(prefix: str, numbers: Int64) -> pa.Array:
        """The text of each place: of number 0 the prefix with `-1`, as in `dc-1`; null for -1."""
        names = pa.array([f"{prefix}-{i + 1}" for i in range(int(numbers.max(initial=0)) + 1)], pa.string())
        return names.take(pa.array(numbers, mask=numbers < 0))


def _sides(records: Records, client: pa.Array, server: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The local and the remote side of columns of both ends: at the data centre the server is local."""
    size = len(records)
    both = pa.concat_arrays([client, server])
    local = np.arange(size) + np.where(records.at_centre, size, 0)
    return both.take(pa.array(local)), both.take(pa.array((local + size) % (2 * size)))


def _identity(texts: WorldTexts, seen: Connections, records: Records) -> dict[str, pa.Array]:
    """The columns that join a flow to its truth."""
    first = records.first
    server = _addresses(twin(seen.address[first], seen.ipv6[first]))
    local_address, remote_address = _sides(records, _addresses(seen.client_address[first]), server)
    client_port = pa.array(records.port, pa.int32(), mask=records.port < 0)
    local_port, remote_port = _sides(records, client_port, pa.array(seen.port[first], pa.int32()))
    return {
        "start": _times(records.start),
        "end": _times(records.end),
        "local_address": local_address,
        "local_port": local_port,
        "remote_address": remote_address,
        "remote_port": remote_port,
        "protocol": pa.array(seen.protocol[first], pa.int32()),
        "observer": texts.observers(records.observer),
    }


def flow_table(texts: WorldTexts, seen: Connections, records: Records) -> pa.Table:
    """The records as canonical flows (`schemas/flow.avsc`)."""
    rows = len(records)
    centre = np.where(records.at_centre, seen.centre[records.first], -1)
    packets = records.bytes_sent // 700 + 1, records.bytes_received // 700 + 1
    direction = np.where(records.at_centre, "ingress", "egress")
    name = pa.array(seen.name[records.first], mask=~records.named)
    columns = {
        **_identity(texts, seen, records),
        "direction": pa.array(direction, pa.string(), mask=~records.directed),
        "bytes_sent": pa.array(records.bytes_sent),
        "bytes_received": pa.array(records.bytes_received),
        "packets_sent": pa.array(packets[0]),
        "packets_received": pa.array(packets[1]),
        "hostname": texts.hostnames.take(name),
        "region": texts.places("region", np.where(centre < 0, -1, centre % REGIONS)),
        "data_centre": texts.places("dc", centre),
        "basis": pa.array(np.where(records.window, "window", "connection"), pa.string()),
    }
    schema = arrow_schema(FLOW)
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in schema], schema=schema)


def truth_table(texts: WorldTexts, plan: Plan, seen: Connections, records: Records) -> pa.Table:
    """The truth of each record (`AGILITY_TRUTH`), row by row."""
    first, rows = records.first, len(records)
    client = seen.client[first]
    pooled = seen.centre[first] >= 0
    service = _service(plan.rules, seen, records)
    no_one = pa.nulls(rows, pa.string())
    known = texts.world.named[texts.world.network[client]] & (client >= 0)
    names, distinct = _hostnames(texts, seen, records)
    kind = np.where(records.at_centre | ~pooled, Kind.UNLABELLED, Kind.POOL)
    columns = {
        **_identity(texts, seen, records),
        "local_workload": no_one,
        "local_service": service.take(pa.array(np.arange(rows), mask=~records.at_centre)),
        "remote_workload": no_one,
        "remote_service": service.take(pa.array(np.arange(rows), mask=records.at_centre)),
        "remote_kind": pa.array([one.name.lower() for one in Kind]).take(pa.array(kind)),
        "server_side": pa.array(np.where(records.at_centre, "local", "remote"), pa.string()),
        # Who does not say which side opened the flow is asked about the remote one, which is no server.
        "hostname": names.take(pa.array(np.arange(rows), mask=records.at_centre & ~records.directed)),
        "connections": pa.array(np.bincount(records.member_record, minlength=rows), pa.int32()),
        "names_carried": pa.array(np.maximum(distinct, seen.carried[first]), pa.int32()),
        "answers_known": pa.array(known & (records.directed | ~records.at_centre)),
        **_policies(plan, seen, records),
    }
    return pa.Table.from_pydict(columns, schema=AGILITY_TRUTH)


def _service(rules: tuple[SocketRule, ...], seen: Connections, records: Records) -> pa.Array:
    """The service that got all connections of each record; null if there is no such service."""
    services = sorted({rule.service for rule in rules})
    number = np.array([*(services.index(rule.service) for rule in rules), -1])[seen.rule[records.member]]
    lowest, highest = np.full(len(records), len(services)), np.full(len(records), -1)
    np.minimum.at(lowest, records.member_record, number)
    np.maximum.at(highest, records.member_record, number)
    return pa.array(services).take(pa.array(lowest, mask=(lowest != highest) | (highest < 0)))


def _hostnames(texts: WorldTexts, seen: Connections, records: Records) -> tuple[pa.Array, Int64]:
    """The names for which each record's connections were opened, joined by spaces, and their number."""
    record, name = np.unique(np.stack([records.member_record, seen.name[records.member]]), axis=1)
    record, name = record[name >= 0], name[name >= 0]
    count = np.bincount(record, minlength=len(records))
    single = np.zeros(len(records), np.int64)
    single[record] = name
    named = texts.hostnames.take(pa.array(single, mask=count == 0)).to_pylist()
    several = count[record] > 1
    together: dict[int, list[int]] = {}
    for row, one in zip(record[several].tolist(), name[several].tolist(), strict=True):
        together.setdefault(row, []).append(one)
    for row, ones in together.items():
        named[row] = " ".join(sorted(texts.hostnames.take(pa.array(ones)).to_pylist()))
    return pa.array(named, pa.string()), count


def _policies(plan: Plan, seen: Connections, records: Records) -> dict[str, pa.Array]:
    """Pool, policy and state of each record's server address when its first connection was active in it."""
    centre = np.where(records.at_centre, seen.centre[records.first], ANY)
    state, which = plan.states(seen.address[records.first], centre, records.seen)
    # Rows of one set of policies have one text.
    bits = np.packbits(which, axis=0, bitorder="little").T.copy()
    distinct, place = np.unique(bits, axis=0, return_inverse=True)
    place = place.reshape(-1)
    sets = np.unpackbits(distinct, axis=1, bitorder="little")[:, : len(plan.policies)].astype(bool)
    made: dict[str, pa.Array] = {}
    for column, attribute in (("pool", "pool"), ("policy", "name")):
        texts = np.array([getattr(one, attribute) for one in plan.policies])
        joined = [",".join(sorted(set(texts[one].tolist()))) or None for one in sets]
        made[column] = pa.array(joined, pa.string()).take(pa.array(place))
    made["policy_state"] = pa.array([one.text for one in PolicyState], pa.string()).take(pa.array(state))
    return made


def name_table(texts: WorldTexts, answers: Answers, *, delay: Int64) -> pa.Table:
    """The logged DNS answers (`schemas/name_binding.avsc`), in the order of delivery, which is `delay` after each."""
    world, rows = texts.world, np.flatnonzero(answers.logged)
    rows = rows[order_by((answers.time + delay)[rows])]
    network, client = answers.network[rows], answers.client[rows]
    shared = world.mode[network] == Resolving.SHARED
    resolver = np.where(shared, RESOLVERS + world.resolver[network], ECS_RESOLVERS + network)
    asked = np.where(client < 0, resolver, world.client_address(client))
    prefixes = pa.array(network_prefixes(world))
    columns = {
        "client_address": _addresses(asked),
        "client_prefix": prefixes.take(pa.array(network, mask=shared | (client >= 0))),
        "server_address": _addresses(twin(answers.address[rows], world.ipv6[network])),
        "hostname": texts.hostnames.take(pa.array(answers.name[rows])),
        "time": _times(answers.time[rows] + world.dns_skew[world.centre[network]]),
        "ttl": pa.array(answers.ttl[rows] / SECOND),
    }
    schema = arrow_schema(NAME_BINDING)
    return pa.Table.from_pydict(filled(columns, schema), schema=schema)


def network_prefixes(world: World) -> list[str]:
    """The prefix of each network."""
    return [prefix_text(first, 1 << NETWORK_BITS) for first in world.prefix(np.arange(len(world.mode))).tolist()]


def resolver_texts(world: World) -> list[str]:
    """`resolver=prefix` for each network that shares a resolver: the setting `shared_resolvers`."""
    prefixes = network_prefixes(world)
    pairs = zip(world.resolver.tolist(), prefixes, strict=True)
    return [f"{address_text(RESOLVERS + resolver)}={prefix}" for resolver, prefix in pairs if resolver >= 0]


def policy_table(policies: tuple[Policy, ...]) -> pa.Table:
    """The policies (`schemas/policy.avsc`). A policy that ended has two rows: without its end and with it."""
    rows = []
    for one in policies:
        match = {
            "account_type": Account(one.account).text if one.account != ANY else None,
            "data_centre": f"dc-{one.data_centre + 1}" if one.data_centre != ANY else None,
            "region": f"region-{one.region + 1}" if one.region != ANY else None,
        }
        row = {
            "policy": one.name,
            "pool": one.pool,
            "match": ",".join(f"{name}={value}" for name, value in match.items() if value) or None,
            "priority": one.priority or None,
            "ttl": one.ttl / SECOND,
            "start": _moment(one.start),
        }
        rows += [
            row | {"prefix": prefix_text(first, one.size), "end": _moment(end)}
            for first in (one.first, TWIN + one.first)
            for end in dict.fromkeys((FOREVER, one.end))
        ]
    return _table(POLICY, rows)


def rule_table(rules: tuple[SocketRule, ...]) -> pa.Table:
    """The socket rules (`schemas/socket_rule.avsc`), over the addresses and their twins."""
    rows = []
    for rule in rules:
        first, last = rule.ports
        row = {
            "rule": rule.name,
            "service": rule.service,
            "port": first if first != ANY else None,
            "last_port": last if last != first else None,
            "protocol": rule.protocol if rule.protocol != ANY else None,
            "priority": rule.priority or None,
            "data_centre": f"dc-{rule.data_centre + 1}" if rule.data_centre != ANY else None,
            "start": _moment(rule.start),
            "end": _moment(rule.end),
        }
        rows += [row | {"prefix": prefix_text(first, rule.size)} for first in (rule.first, TWIN + rule.first)]
    return _table(SOCKET_RULE, rows)


def _table(kind: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    schema = arrow_schema(kind)
    return pa.table([pa.array([row.get(f.name) for row in rows], f.type) for f in schema], schema=schema)
