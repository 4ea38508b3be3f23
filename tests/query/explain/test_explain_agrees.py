"""What `explain` and `whois --at` make of a lake's ranges is what the run made of the heartbeats."""

from collections import Counter

import pytest

from attribution.config import MINUTE, Settings
from attribution.query.explain.address_evidence import FlowSide, evidence_of, judge
from attribution.query.explain.flow import FIND_FLOWS
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


@pytest.fixture(scope="module", params=[((), Settings()), (BALANCERS, FORGETFUL)], ids=["usual", "forgetful"])
def hostile(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    more, settings = request.param
    write(simulate(scenario("hostile", ("connections=600", "window_share=0.2", *more)), seed=5), folder / "fleet")
    fleet = {
        name: [str(folder / "fleet" / f"{name}.parquet")] for name in ("flows", "heartbeats", "assignments", "labels")
    }
    replay(Inputs(**fleet), folder / "lake", settings=settings)
    with LakeSession(folder / "lake") as session:
        yield session


def test_every_side_that_was_asked_has_the_same_answer_again(hostile):
    everything = dict.fromkeys(("local_address", "local_port", "remote_address", "remote_port"))
    rows = hostile.ask(FIND_FLOWS, **everything, **OPEN.parameters(), limit=100_000)
    known, pairs = {}, Counter()
    for row in rows:
        times = {name: from_microseconds(row[name]) for name in ("start", "end")}
        for side in ("local", "remote"):
            if row[f"{side}_method"] == "capture":
                continue
            address, reason = row[f"{side}_address"], row[f"{side}_reason"]
            evidence = known.get(address) or evidence_of(hostile, address)
            known[address] = evidence
            found = judge(evidence, hostile.settings, FlowSide.of(row | times, side))
            pairs[reason, found.reason] += 1
            if (reason, found.reason) != ("within", "gap"):
                assert (found.workload, found.service) == (row[f"{side}_workload"], row[f"{side}_service"])
    assert {pair for pair in pairs if pair[0] != pair[1]} <= LESS
    assert {"covered", "bridged", "conflict", "gap", "assigned", "prefix", "unknown"} <= {reason for reason, _ in pairs}
