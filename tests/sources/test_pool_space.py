"""The pool space: which prefixes lie in it, and which policies reach beyond."""

import json

import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.errors import SourceError
from attribution.sources.pool_space import PoolPrefixes, with_pools_of


@pytest.mark.parametrize(
    ("prefix", "inside"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.128/25", True),
        ("192.0.2.0/23", False),
        ("198.51.100.0/24", False),
        ("2001:db8::/48", True),
        ("2001:db8::/31", False),
    ],
)
def test_a_prefix_lies_in_it_with_all_of_its_addresses(prefix, inside):
    assert (prefix in PoolPrefixes(["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32"])) == inside


def test_policies_that_reach_beyond_are_told_apart():
    pools = PoolPrefixes(["192.0.2.0/24"])
    inside = pa.record_batch({"prefix": ["192.0.2.0/25"]})
    assert pools.own(inside) == (inside, "")
    own, beyond = pools.own(pa.record_batch({"prefix": ["192.0.2.0/25", "10.0.0.0/8", "10.1.0.0/16"]}))
    assert own.equals(inside)
    assert beyond == "2 policies, the first of 10.0.0.0/8"


def test_the_prefixes_of_policies_are_pools(tmp_path):
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"policies": [{"name": "free", "prefixes": ["192.0.2.0/24", "198.51.100.0/24"]}]}))
    settings = Settings(pool_prefixes=("192.0.2.0/23",))
    assert with_pools_of([], settings) is settings
    assert with_pools_of([path], settings).pool_prefixes == ("192.0.2.0/23", "198.51.100.0/24")
    with pytest.raises(SourceError, match="cannot read policies from standard input"):
        with_pools_of(["-"], settings)
