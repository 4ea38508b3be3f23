"""Labels hold in every network, or in one."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.fallback.labels import LabelIndex
from attribution.schema import arrow_schema

WIDE, NARROW = "10.0.0.0/8", "10.0.0.0/16"


def match(labels, network, *, routes=()):
    rows = [{"prefix": prefix, "service": service, "network": of} for prefix, service, of in labels]
    index = LabelIndex(pa.Table.from_pylist(rows, schema=arrow_schema("label")), Settings(routes=routes))
    asked = AskedPlaces(pa.array(["10.0.0.1"]), pa.array([network], pa.string()), np.array([False]))
    (row,) = index.match(asked).tolist()
    return None if row < 0 else labels[row][1]


@pytest.mark.parametrize(
    ("labels", "network", "routes", "expected"),
    [
        ([(WIDE, "x", None)], "a", (), "x"),
        ([(WIDE, "x", "a"), (WIDE, "y", "b")], "a", (), "x"),
        ([(WIDE, "x", "a"), (WIDE, "y", "b")], "b", (), "y"),
        ([(WIDE, "x", "a")], "b", (), None),
        ([(WIDE, "x", None), (NARROW, "y", "a")], "a", (), "y"),
        ([(WIDE, "x", None), (NARROW, "y", "a")], "b", (), "x"),
        # A prefix that has two names in a network names nobody there.
        ([(WIDE, "x", None), (WIDE, "y", "a")], "a", (), None),
        ([(WIDE, "x", None), (WIDE, "y", "a")], "b", (), "x"),
        # Where the network is not known, or may be another, a longer label may hold.
        ([(WIDE, "x", None), (NARROW, "y", "a")], None, (), None),
        ([(WIDE, "y", "a"), (NARROW, "x", None)], None, (), "x"),
        ([(WIDE, "x", None), (NARROW, "y", "a")], "b", ("a,b",), None),
        ([(WIDE, "x", None), (WIDE, "x", "a")], None, (), None),
    ],
)
def test_the_longest_label_that_surely_holds_answers(labels, network, routes, expected):
    assert match(labels, network, routes=routes) == expected
