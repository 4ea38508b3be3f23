"""Which policies have an address, by time and place, case by case; the oracle holds the rest."""

import numpy as np
import pyarrow as pa
import pytest
import records
from oracle import Policy

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.fallback.policies import Place
from attribution.core.fallback.pools import PoolSpace
from attribution.core.question import Question
from attribution.schema import FLOW, POLICY, arrow_schema

SETTINGS = Settings(pool_prefixes=("203.0.113.0/24",))


def policy(name, **more):
    values = {"pool": "pool", "prefix": "203.0.113.0/25", "match": None, "start": 0, "end": None}
    return Policy(**(values | {"policy": name} | more))


def ask(policies, addresses=("203.0.113.7",), a=100, b=200, *, data_centre="ams", region=None):
    space = PoolSpace(pa.Table.from_batches([records.batch(POLICY, policies)]), SETTINGS)
    rows = [{"remote_address": one, "data_centre": data_centre, "region": region} for one in addresses]
    flows = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(FLOW))
    size = len(addresses)
    question = Question(
        np.full(size, a),
        np.full(size, b),
        np.full(size, a),
        np.full(size, a),
        np.full(size, True),
        np.full(size, False),
    )
    return space.ask(flows, "remote", AskedPlaces.of(flows, "remote", SETTINGS), question)


def said(answers):
    return [*zip(*(column.to_pylist() for column in answers.columns().values()), strict=True)]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([policy("p")], ("pool", "p", "in_force")),
        ([policy("p", end=50)], ("pool", "p", "ended")),
        ([policy("p", start=300)], (None, None, None)),
        ([policy("p", match="data_centre=fra")], ("pool", "p", "elsewhere")),
        ([policy("p", match="data_centre=fra", end=50)], ("pool", "p", "ended")),
        ([policy("p", match="region=eu")], ("pool", "p", "in_force")),
        ([policy("p"), policy("q", prefix="203.0.113.0/28", pool="other")], ("other", "q", "in_force")),
        ([policy("p", end=150), policy("q", start=151)], ("pool", "p,q", "in_force")),
        ([policy("p", end=50), policy("q", end=60)], ("pool", "q", "ended")),
    ],
)
def test_the_first_policies_that_there_are_have_the_address(policies, expected):
    assert said(ask(policies)) == [expected]


def test_addresses_outside_the_pool_space_are_not_asked_about():
    answers = ask([policy("p")], ("10.0.0.1", "203.0.113.7", "203.0.113.200"))
    assert answers.inside.tolist() == [False, True, True]
    assert answers.handed_out.tolist() == [False, True, False]
    assert said(answers) == [(None, None, None), ("pool", "p", "in_force"), (None, None, None)]


def test_answers_of_some_rows_are_those_of_all():
    answers = ask([policy("p")], ("203.0.113.7", "10.0.0.1", "203.0.113.200"))
    rows = np.array([2, 0])
    assert said(answers.take(rows)) == [said(answers)[row] for row in rows]
    assert answers.take(rows).handed_out.tolist() == [False, True]


def test_a_place_fits_if_nothing_that_both_say_differs():
    assert Place.of_match("data_centre=ams,region=eu") == Place("ams", "eu")
    assert Place("ams", None).fits(Place("ams", "eu"))
    assert not Place("ams", "us").fits(Place("ams", "eu"))
