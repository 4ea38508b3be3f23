"""Which service socket rules give a connection to, case by case; the oracle holds the rest."""

import numpy as np
import pyarrow as pa
import pytest
import records
from oracle import SocketRule

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.fallback.socket_rules import RuleIndex, RuleState
from attribution.core.question import Question
from attribution.schema import FLOW, SOCKET_RULE, arrow_schema

ADDRESS, TCP = "203.0.113.7", 6


def rule(service, **more):
    values = {
        "rule": service, "prefix": "203.0.113.0/24", "port": None, "last_port": None, "protocol": None, "priority": 0,
        "data_centre": None, "start": None, "end": None,
    }  # fmt: skip
    return SocketRule(**(values | {"service": service} | more))


def ask(rules, a=100, b=200, *, port=443, data_centre="ams"):
    index = RuleIndex(pa.Table.from_batches([records.batch(SOCKET_RULE, rules)]))
    flow = {"remote_address": ADDRESS, "remote_port": port, "protocol": TCP, "data_centre": data_centre}
    flows = pa.RecordBatch.from_pylist([flow], schema=arrow_schema(FLOW))
    sides = index.sides(
        flows,
        AskedPlaces.of(flows, "remote", Settings()),
        np.array([TCP << 16 | port], np.int32),
        np.zeros(1, np.int64),
    )
    a, b = np.array([a]), np.array([b])
    answers = index.ask(sides, Question(a, b, a, a, np.array([True]), np.array([False])))
    names = [*index.services.to_pylist(), None]
    return RuleState(answers.state[0]), names[answers.service[0]]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("web")], (RuleState.DISPATCHED, "web")),
        ([rule("web", prefix="198.51.100.0/24")], (RuleState.NOTHING, None)),
        ([rule("web", port=80)], (RuleState.NOTHING, None)),
        ([rule("web", port=400, last_port=500)], (RuleState.DISPATCHED, "web")),
        ([rule("web", protocol=17)], (RuleState.NOTHING, None)),
        ([rule("web"), rule("api")], (RuleState.CHANGED, None)),
        ([rule("web"), rule("api", priority=1)], (RuleState.DISPATCHED, "api")),
        ([rule("web"), rule("api", prefix="203.0.113.0/28")], (RuleState.DISPATCHED, "api")),
        ([rule("web", data_centre="fra")], (RuleState.NOTHING, None)),
        ([rule("web", start=150)], (RuleState.CHANGED, None)),
        ([rule("web", end=150), rule("api", start=151)], (RuleState.CHANGED, None)),
        ([rule("web", end=150), rule("web", rule="again", start=151)], (RuleState.DISPATCHED, "web")),
    ],
)
def test_the_rules_in_force_decide(rules, expected):
    assert ask(rules) == expected


def test_where_the_data_centre_is_not_known_a_rule_of_one_contests_every_other():
    rules = [rule("web"), rule("api", data_centre="fra")]
    assert ask(rules) == (RuleState.DISPATCHED, "web")
    assert ask(rules, data_centre=None) == (RuleState.CHANGED, None)
