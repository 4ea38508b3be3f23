"""A small history of addresses that policies hand out: policies and socket rules that change, DNS answers, flows."""

import random
from dataclasses import dataclass

import pyarrow as pa

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.columnar.dictionaries import plain
from attribution.schema import ATTRIBUTED_FLOW, FLOW, HEARTBEAT, NAME_BINDING, POLICY, SOCKET_RULE, arrow_schema

T0 = 1_772_323_200 * SECOND
LONG = 90 * MINUTE
EDGE, OTHER, OWN = "192.0.2.0/28", "198.51.100.0/29", "203.0.113.0/29"
SETTINGS = Settings(
    pool_prefixes=(EDGE, OTHER),
    named_prefixes=("10.1.0.0/24",),
    shared_resolvers=("10.1.1.53=10.1.1.0/28",),
    connection_lifetime=10 * MINUTE,
)
POLICIES = [
    {"policy": "free", "pool": "edge", "prefix": EDGE, "match": "account_type=free", "end": T0 + 30 * MINUTE},
    {"policy": "paid", "pool": "edge", "prefix": EDGE, "match": "data_centre=ams", "start": T0 + 20 * MINUTE},
    {"policy": "one", "pool": "one", "prefix": "192.0.2.7/32", "start": T0 + 40 * MINUTE, "end": T0 + 60 * MINUTE},
    {"policy": "far", "pool": "other", "prefix": "198.51.100.0/30", "match": "data_centre=fra", "ttl": 30.0},
    {"policy": "gone", "pool": "other", "prefix": "198.51.100.6/31", "end": T0 + 10 * MINUTE},
]
RULES = [
    {"rule": "web", "prefix": EDGE, "port": 443, "protocol": 6, "service": "web", "end": T0 + 45 * MINUTE},
    {"rule": "new", "prefix": EDGE, "port": 443, "protocol": 6, "service": "web2", "start": T0 + 45 * MINUTE + 1},
    {"rule": "dns", "prefix": "0.0.0.0/0", "port": 53, "last_port": 54, "service": "dns", "priority": 1},
    {"rule": "ams", "prefix": OWN, "service": "front", "data_centre": "ams", "start": T0 + 10 * MINUTE},
]


@dataclass(frozen=True)
class Agility:
    """Tables by kind of record, flows numbered by their observers."""

    tables: dict
    settings: Settings


def agility(seed, *, flows=600):
    chosen = random.Random(seed)
    pool = [f"192.0.2.{n}" for n in range(16)] + [f"198.51.100.{n}" for n in range(8)]
    own = [f"203.0.113.{n}" for n in range(8)]
    clients = [f"10.1.{n}.{m}" for n in range(2) for m in range(20)]
    workloads = [f"10.0.0.{n}" for n in range(10)]
    rows = {POLICY: POLICIES, SOCKET_RULE: RULES, HEARTBEAT: [], NAME_BINDING: [], FLOW: []}
    for minute in range(90):
        for number, address in enumerate([*workloads, pool[3], own[2]]):
            if chosen.random() < 0.8:
                owner = f"w{number}-{(minute + 3 * number) // 25}"
                beat = {"address": address, "workload": owner, "service": f"s{number % 4}"}
                rows[HEARTBEAT].append(beat | {"start": T0 + minute * MINUTE, "end": T0 + minute * MINUTE})
    for number in range(flows):
        client, server = chosen.choice(clients), chosen.choice([*pool, *pool, *own, *workloads])
        start = T0 + chosen.randrange(LONG)
        told = {"server_address": server, "time": max(T0, start - chosen.randrange(2 * MINUTE)), "ttl": 30.0}
        for _ in range(chosen.choice([0, 1, 1, 2])):
            asked = chosen.choice([client, client, "10.1.1.53", "9.9.9.9"])
            prefix = chosen.choice(["10.1.0.0/28", None]) if asked == "9.9.9.9" else None
            name = f"{chosen.choice('abc')}.example"
            rows[NAME_BINDING].append(told | {"client_address": asked, "client_prefix": prefix, "hostname": name})
        window = chosen.random() < 0.2
        flow = {
            "start": start,
            "end": start + chosen.choice([0, SECOND, 5 * MINUTE]),
            "protocol": chosen.choice([6, 6, 17, None]),
            "data_centre": chosen.choice(["ams", "fra", None]),
            "hostname": chosen.choice([None] * 5 + ["sni.example"]),
            "observer": str(number),
            "basis": "window" if window else "connection",
        }
        ends = [(client, chosen.randrange(40_000, 50_000)), (server, chosen.choice([443, 53, 8080, None]))]
        inwards = chosen.random() < 0.6
        (local, local_port), (remote, remote_port) = ends[::-1] if inwards else ends
        workload = chosen.choice([None, f"pop-{number % 3}"]) if inwards else chosen.choice([None, f"c-{client}"])
        rows[FLOW].append(
            flow
            | {"local_address": local, "local_port": local_port, "remote_address": remote, "remote_port": remote_port}
            | {"direction": chosen.choice([None, "ingress" if inwards else "egress"]), "local_workload": workload}
        )
    return Agility({kind: table(kind, found) for kind, found in rows.items()}, SETTINGS)


def table(kind, rows):
    schema = arrow_schema(kind)
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def rows_by_number(batches):
    """All that attributed flows say, by their number."""
    found = {}
    for batch in batches:
        for row in plain(batch).select(arrow_schema(ATTRIBUTED_FLOW).names).to_pylist():
            assert row["observer"] not in found
            found[row["observer"]] = row
    return [found[number] for number in sorted(found, key=int)]
