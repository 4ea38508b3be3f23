"""Lakes of which no question about pools can be answered."""

import pytest

from attribution.config import Settings
from attribution.errors import QueryError
from attribution.query.pools.astray import astray
from attribution.query.pools.load import load
from attribution.query.pools.stale import stale


@pytest.mark.parametrize("question", [load, astray, stale])
def test_a_lake_without_pools_says_what_to_do(lake, question):
    with pytest.raises(QueryError, match=r"made without pools; replay its logs with the policies.*--pool-prefix"):
        question(lake([], settings=Settings()))


def test_an_empty_lake_has_nothing(lake):
    made = lake([])
    assert (load(made).pools, astray(made), stale(made)) == ((), (), ())


def test_what_cannot_be_asked_is_refused(lake):
    made = lake([])
    with pytest.raises(QueryError, match="choose flows, bytes, packets"):
        load(made, measure="colour")
    with pytest.raises(QueryError, match="above zero"):
        stale(made, bucket=0)
