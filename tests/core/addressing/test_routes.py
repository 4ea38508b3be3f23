"""Routes join pairs of networks, perhaps in a prefix, and no further."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.core.addressing.routes import Routes

NETWORKS = ["a", "b", "c"]
A, B, C, NO_NETWORK, UNHEARD = 0, 1, 2, -1, -2


def routes(*texts):
    return Routes(Settings(routes=texts).network_routes, NETWORKS)


def join(made, one, other, address="10.0.0.1"):
    return bool(made.join(np.array([one]), np.array([other]), pa.array([address]))[0])


def test_a_route_has_no_direction_and_is_not_transitive():
    made = routes("a,b", "b,c")
    assert join(made, A, B)
    assert join(made, B, A)
    assert not join(made, A, C)


def test_a_route_with_a_prefix_joins_for_the_addresses_in_it_only():
    made = routes("a,b,10.0.0.0/8", "a,b,2001:db8::/32")
    assert join(made, A, B, "10.9.9.9")
    assert join(made, B, A, "2001:db8::1")
    assert not join(made, A, B, "192.0.2.1")


def test_a_route_for_all_addresses_wins_over_its_prefixes():
    assert join(routes("a,b,10.0.0.0/8", "a,b"), A, B, "192.0.2.1")


def test_evidence_without_a_network_is_reached_by_a_route_to_it():
    made = routes("a,-")
    assert join(made, A, NO_NETWORK)
    assert not join(made, B, NO_NETWORK)


@pytest.mark.parametrize("network", [A, NO_NETWORK, UNHEARD])
def test_no_route_joins_a_network_to_itself_or_to_one_never_heard_of(network):
    assert not join(routes("a,b", "a,-"), network, network)
    assert not join(routes("a,b", "a,-"), network, UNHEARD)


def test_which_networks_have_routes():
    assert routes("a,b", "a,-").of(np.array([A, B, C, NO_NETWORK, UNHEARD])).tolist() == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert not routes()
