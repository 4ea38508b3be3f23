"""Networks that a person gives to inputs, for what names none of its own.

`attribution.sources.given` says how: to all inputs, to a kind, or to a path. Labels, policies and socket rules without
a network hold in every network. So they take a network only if it is given to them by kind or by path. A network that
is given to all inputs, or to the flows that they stand among, is not theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from attribution.config import NO_NETWORK
from attribution.errors import ConfigError
from attribution.schema import LABEL, POLICY, SOCKET_RULE
from attribution.sources.given import Given

#: What a person gives as `--network`.
SYNTAX = "[KIND=|PATH=]NAME"
#: The network that was given to a source: called with its name and a kind of record; None where none was.
NetworkOf: TypeAlias = Callable[[str, str], str | None]

#: Records that hold in every network if they name none.
_EVERYWHERE = (LABEL, POLICY, SOCKET_RULE)


def no_network(_source: str, _kind: str) -> None:
    """That no network was given."""


class GivenNetworks:
    """The networks that were given to the inputs of a run."""

    def __init__(self, texts: Sequence[str], paths: Mapping[str, Sequence[str | Path]]) -> None:
        """Read the texts; arguments and errors are those of `attribution.sources.given.Given`."""
        self._given = Given("--network", "network", texts, paths, _check_name)

    def of(self, given_as: str) -> NetworkOf:
        """The networks of the sources that were given as a kind of record."""
        given = self._given
        if not given:
            return no_network
        own = given.for_kind.get(given_as)

        def network(source: str, kind: str) -> str | None:
            named = given.for_file(source)
            if kind in _EVERYWHERE:
                return named or (own if given_as in _EVERYWHERE else None)
            return named or own or given.for_all

        return network


def _check_name(text: str, name: str) -> None:
    if not name or name == NO_NETWORK or "," in name:
        raise ConfigError(
            f"--network {text}: {name!r} is no name of a network; give one as {SYNTAX}, without commas, "
            f"and not {NO_NETWORK!r}, which stands for no network"
        )
