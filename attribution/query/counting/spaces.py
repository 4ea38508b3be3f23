"""Which networks are one address space, where routes join them."""

from collections.abc import Sequence

from attribution.config import NO_NETWORK, Route


def joined_spaces(routes: Sequence[Route]) -> dict[str, str]:
    """Network -> the first name, in order of text, of those that routes join it to, directly or through others.

    An end may be reported by its own network and, from the other side of a route, by a network that the route joins to
    it. For counting, both are one: the two reports could not be told to be of one conversation otherwise.

    Args:
        routes: pairs of networks, whatever their prefix; None among them is the missing network, `-` here.

    >>> joined_spaces([Route(("b", "a")), Route(("b", None)), Route(("x", "y"))])
    {'b': '-', 'a': '-', '-': '-', 'x': 'x', 'y': 'x'}
    """
    groups: dict[str, set[str]] = {}
    for route in routes:
        one, other = (name or NO_NETWORK for name in route.networks)
        together = groups.get(one, {one}) | groups.get(other, {other})
        groups |= dict.fromkeys(together, together)
    order = dict.fromkeys(name or NO_NETWORK for route in routes for name in route.networks)
    return {name: min(groups[name]) for name in order}


def joined_pairs(routes: Sequence[Route]) -> list[str]:
    """The pairs of networks that a route joins directly, in both orders, as `sql/shared.sql` compares them.

    >>> joined_pairs([Route(("b", "a")), Route(("b", None))])
    ['b,a', 'a,b', 'b,-', '-,b']
    """
    named = [[name or NO_NETWORK for name in route.networks] for route in routes]
    return [",".join(pair) for both in named for pair in (both, both[::-1])]
