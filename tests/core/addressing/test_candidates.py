"""Records of one network hold where a side is in that network for sure, and may hold where it may be."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.core.addressing.candidates import IS_IN, MAY_BE_IN, NOT_IN, CandidateNetworks
from attribution.core.addressing.place_book import AskedPlaces


def asked(network, *, told=False):
    return AskedPlaces(pa.array(["10.0.0.1"]), pa.array([network], pa.string()), np.array([told]))


@pytest.mark.parametrize(
    ("network", "told", "routes", "expected"),
    [
        ("a", False, (), [IS_IN, NOT_IN]),
        ("c", False, (), [NOT_IN, NOT_IN]),
        (None, False, (), [MAY_BE_IN, MAY_BE_IN]),
        ("a", False, ("a,b",), [MAY_BE_IN, MAY_BE_IN]),
        ("a", True, ("a,b",), [IS_IN, NOT_IN]),
        ("a", False, ("a,b,192.0.2.0/24",), [IS_IN, NOT_IN]),
        ("a", False, ("a,c",), [MAY_BE_IN, NOT_IN]),
        ("a", False, ("a,-",), [IS_IN, NOT_IN]),
        ("c", False, ("a,c",), [MAY_BE_IN, NOT_IN]),
    ],
)
def test_where_a_side_is(network, told, routes, expected):
    networks = CandidateNetworks(Settings(routes=routes), ["a", "b"])
    assert networks.of(asked(network, told=told)).tolist() == [expected]
    sure = [name for name, held in zip("ab", expected, strict=True) if held == IS_IN]
    assert networks.sure(asked(network, told=told)).to_pylist() == (sure or [None])


def test_without_networks_nothing_is_asked():
    networks = CandidateNetworks(Settings(), [])
    assert not networks
    assert networks.sure(asked("a")).to_pylist() == [None]
