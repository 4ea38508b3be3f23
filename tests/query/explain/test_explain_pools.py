"""What `explain` says of addresses that policies hand out is what the run said: the same rules, asked again."""

import json

import pytest
from golden_cases import FOLDER

from attribution.config import Settings
from attribution.query.explain.flow import FIND_FLOWS, explain_flow
from attribution.query.explain.flow_selector import flow_key, parse_flow
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import OPEN
from attribution.replay import Inputs, replay

CASES = ("many_names_on_one_address", "a_pool_whose_policies_change")
EVERYTHING = dict.fromkeys(("local_address", "local_port", "remote_address", "remote_port", "network"))


@pytest.fixture(scope="module", params=CASES)
def lake(request, tmp_path_factory):
    """The golden case replayed."""
    case, folder = FOLDER / request.param, tmp_path_factory.mktemp("pools")
    kinds = ("policies", "socket_rules", "name_bindings")
    inputs = {name: [case / f"{name}.jsonl"] for name in kinds if (case / f"{name}.jsonl").exists()}
    settings = Settings.from_toml(case / "settings.toml")
    flows = Inputs(flows=[case / "flows.jsonl"], **inputs)
    replay(flows, folder / "lake", settings=settings, flows_are_heartbeats=False)
    with LakeSession(folder / "lake") as session:
        yield session


def test_every_side_that_was_asked_has_the_same_answer_again(lake):
    rows = lake.ask(FIND_FLOWS, **EVERYTHING, **OPEN.parameters(), limit=1000)
    asked = 0
    for row in rows:
        explained = explain_flow(lake, parse_flow(flow_key(row), last=None))
        for side in ("local", "remote"):
            found = getattr(explained, side)
            if found.method == "capture":
                continue
            asked += 1
            assert (found.verdict.service, found.verdict.reason) == (found.service, found.reason)
            assert found.path[-1].result == found.reason
            json.dumps(found.to_dict(), default=str)
    assert asked == len(rows)
