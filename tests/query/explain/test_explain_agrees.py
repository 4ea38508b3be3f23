"""What `explain` and `whois --at` make of a lake's ranges is what the run made of the heartbeats."""

from collections import Counter

import pytest

from attribution.config import MINUTE, Settings
from attribution.query.explain.address_evidence import evidence_of
from attribution.query.explain.far_end import far_end_of
from attribution.query.explain.flow import FIND_FLOWS
from attribution.query.explain.verdict import FlowSide, asked_end, judge
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import from_microseconds
from attribution.query.lake.window import OPEN
from attribution.replay import Inputs, replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write

#: Ranges do not tell where in them the heartbeats are: (what the run said, what the ranges say).
LESS = {("covered", "bridged"), ("within", "gap")}


FORGETFUL = Settings(workload_memory=4 * MINUTE)
BALANCERS = ("balancers_among_workloads=1", "load_balancers=20", "external_share=0.4")
PORTS = (
    "connections=300", "services=30", "port_owner_share=0.4", "shared_capture_share=1", "nat_share=0.5",
    "nat_reuse_pause=2s", "connection_sigma=0.8", "ingress_share=0.7", "capture_share=0.8",
    "routers=4", "exporters=1", "late_routers=2",
)  # fmt: skip
#: Some of the addresses that the fleets have in common are reached in one of them only, some in both, some by nobody.
ROUTES = Settings(routes=("east,west,10.0.0.0/20", "west,-"))
USUAL = {"covered", "bridged", "both_ends", "conflict", "gap", "assigned", "prefix", "unknown"}
CASES = {
    "usual": ((), Settings(), ("",), USUAL),
    "forgetful": (BALANCERS, FORGETFUL, ("",), USUAL),
    "networks": ((), Settings(), ("east", "west", ""), {*USUAL, "other_network"}),
    "routes": (
        BALANCERS,
        ROUTES,
        ("east", "west", ""),
        {"bridged", "conflict", "gap", "other_network", "several_networks"},
    ),
    "ports": (
        PORTS,
        Settings(active_timeout=2 * MINUTE),
        ("",),
        {"covered", "within", "both_ends", "gap", "conflict", "shared"},
    ),
    "ports, networks": (PORTS, Settings(), ("east", ""), {"both_ends", "shared", "untimed", "other_network"}),
    "one space": ((), Settings(one_space=True), ("east", "west", ""), USUAL),
}


@pytest.fixture(scope="module", params=CASES)
def hostile(request, tmp_path_factory):
    """A lake of fleets that have the same addresses, each in a network or in none; and the reasons that it has."""
    folder = tmp_path_factory.mktemp("hostile")
    more, settings, networks, reasons = CASES[request.param]
    size = 600 // len(networks)
    fleet = {"flows": [], "heartbeats": [], "assignments": [], "labels": []}
    for seed, network in enumerate(networks, 5):
        its = folder / f"fleet-{network}"
        write(simulate(scenario("hostile", (f"connections={size}", "window_share=0.2", *more)), seed=seed), its)
        for name, paths in fleet.items():
            paths.append(str(its / f"{name}.parquet"))
    named = [f"{folder / f'fleet-{network}'}={network}" for network in networks if network]
    replay(Inputs(**fleet, networks=named), folder / "lake", settings=settings)
    with LakeSession(folder / "lake") as session:
        yield session, reasons


def test_every_side_that_was_asked_has_the_same_answer_again(hostile):
    session, reasons = hostile
    everything = dict.fromkeys(("local_address", "local_port", "remote_address", "remote_port", "network"))
    rows = session.ask(FIND_FLOWS, **everything, **OPEN.parameters(), limit=100_000)
    known, pairs = {}, Counter()
    for row in rows:
        times = {name: from_microseconds(row[name]) for name in ("start", "end", "received")}
        for side in ("local", "remote"):
            if row[f"{side}_method"] == "capture":
                continue
            (address, _), reason = asked_end(row, side), row[f"{side}_reason"]
            evidence = known.get(address) or evidence_of(session, address)
            known[address] = evidence
            found = judge(evidence, session.settings, FlowSide.of(row | times, side))
            far = far_end_of(session, row, found) if side == "remote" else None
            assert far is None or far.outcome != "missed"
            *answer, why = far.answer(found) if far else (found.workload, found.service, found.reason)
            pairs[reason, why] += 1
            if (reason, why) != ("within", "gap"):
                assert answer == [row[f"{side}_workload"], row[f"{side}_service"]]
    assert {pair for pair in pairs if pair[0] != pair[1]} <= LESS
    assert reasons <= {reason for reason, _ in pairs}
