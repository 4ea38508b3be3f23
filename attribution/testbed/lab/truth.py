"""The truth of each flow, to which `attribution evaluate` compares a lake."""

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa

from attribution.testbed.fleet.tables import IDENTITY
from attribution.testbed.lab.dns.policies import Policy
from attribution.testbed.lab.journal import Connection
from attribution.testbed.pools.tables import AGILITY_TRUTH

#: `truth.parquet`: the columns that a simulation of names has, and all names that were asked for on the connection.
#: `hostname` is the one that it was opened for; the service is who accepted it.
TRUTH: Final = AGILITY_TRUTH.append(
    pa.field("hostnames", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False)
)


def truth_of(
    flow: Mapping[str, object], one: Connection, service: str | None, policies: Iterable[Policy]
) -> dict[str, object]:
    """The row of the truth for a flow.

    Args:
        flow: The flow as it is logged.
        one: The connection of the flow, as the same end saw it.
        service: The service that accepted the connection.
        policies: All policies of the run.
    """
    side, (address, _) = ("local", one.local) if flow["direction"] == "ingress" else ("remote", one.remote)
    data_centre = str(flow["data_centre"]) if "data_centre" in flow else None
    names = list(dict.fromkeys(one.requested))
    return {
        **{name: flow[name] for name in IDENTITY},
        f"{side}_service": service,
        "remote_kind": "pool" if side == "remote" else "unlabelled",
        "server_side": side,
        "hostname": one.hostname,
        "connections": 1,
        "names_carried": len({*names, one.hostname} - {None}),
        "answers_known": True,
        **policy_of(policies, address, one.start, data_centre),
        "hostnames": names,
    }


def policy_of(policies: Iterable[Policy], address: str, time: int, data_centre: str | None) -> dict[str, str | None]:
    """Pool, policy and state of an address at a time, for a flow that a data centre logged; None if there is no policy.

    The pools of a run do not overlap, so at any time one policy has an address at the most.
    """
    having = [policy for policy in policies if policy.has(address)]
    for state, fitting in (
        ("in_force", [p for p in having if p.in_force(time) and _counts(p, data_centre)]),
        ("elsewhere", [p for p in having if p.in_force(time)]),
        ("ended", [p for p in having if p.end is not None and p.end < time]),
    ):
        if fitting:
            return {"pool": fitting[0].pool, "policy": fitting[0].policy, "policy_state": state}
    return {"pool": None, "policy": None, "policy_state": None}


def _counts(policy: Policy, data_centre: str | None) -> bool:
    asked = dict(policy.match).get("data_centre")
    return data_centre is None or asked is None or asked == data_centre
