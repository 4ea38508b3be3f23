"""The plan of a search, as it is written and read."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from attack_plan import ATTACKED, FRESH, START

from attribution.config import SECOND
from attribution.errors import QueryError
from attribution.query.attack.plan import plan_addresses, read_plan


def test_a_plan_is_read_as_it_was_written(tmp_path, plan, names):
    plan = plan.with_step(plan.start.step(), START)
    written = tmp_path / "plan.json"
    written.write_text(json.dumps(plan.to_dict(names)))
    assert read_plan(written) == plan
    (step,) = json.loads(written.read_text())["steps"]
    assert step["from"] == "2026-01-05T12:00:00Z"
    assert step["watched"] == [ATTACKED]
    assert step["parts"][2] == {
        "address": "192.0.2.67", "count": 6, "numbers": [[14, 20]],
        "names": [f"n{number}.example" for number in range(14, 20)],
    }  # fmt: skip
    assert json.loads(written.read_text())["predicted"] == {"steps": 3, "time": 480 * SECOND}


def test_a_step_waits_until_the_last_one_was_looked_at(plan):
    plan = plan.with_step(plan.start.step(), START)
    with pytest.raises(QueryError, match="takes 330 s until its addresses were looked at"):
        plan.with_step(plan.start.step(), START + timedelta(seconds=329))


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 7}', '{"format": 1}'])
def test_what_is_no_plan_is_refused(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(QueryError, match="cannot read the plan"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(QueryError, match="cannot read the plan"):
        read_plan(tmp_path / "none.json")


def test_addresses_are_given_one_by_one_or_by_prefix(plan):
    assert plan_addresses(["192.0.2.5", "192.0.2.4/31", "2001:DB8::1"]) == ("192.0.2.5", "192.0.2.4", "2001:db8::1")
    with pytest.raises(QueryError, match="more than 4096"):
        plan_addresses(["10.0.0.0/8"])
    with pytest.raises(QueryError, match="cannot read the address 'x'"):
        plan_addresses(["x"])
    with pytest.raises(QueryError, match=r"1 attacked addresses and 1 others.*--address"):
        _ = replace(plan, addresses=(FRESH[0], ATTACKED)).start
