"""Networks that a person gives to inputs, for what names none of its own.

| text | gives the network to |
|---|---|
| `NAME` | all inputs |
| `KIND=NAME` | the inputs of one kind, by its plural: `heartbeats=east` |
| `PATH=NAME` | the files of a path, folder or glob pattern among the inputs, whatever their kind: `logs/east=east` |

The last `=` parts the two, so that a path may have more of them. A path comes before a kind, and a kind before all. A
path that is called like a kind is written `./flows`.

Labels, policies and socket rules without a network hold in every network. So they take a network only if it is given to
them by kind or by path. A network that is given to all inputs, or to the flows that they stand among, is not theirs.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from attribution.config import NO_NETWORK
from attribution.errors import ConfigError, SourceError
from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.schema import LABEL, POLICY, SOCKET_RULE
from attribution.sources.input.opening import STDIN_NAME, expand

#: What a person gives as `--network`.
SYNTAX = "[KIND=|PATH=]NAME"
#: The network that was given to a source: called with its name and a kind of record; None where none was.
NetworkOf: TypeAlias = Callable[[str, str], str | None]

#: Records that hold in every network if they name none.
_EVERYWHERE = (LABEL, POLICY, SOCKET_RULE)
_PLURALS = {BY_NAME[kind].plural: kind for kind in INPUT_RECORDS}


def no_network(_source: str, _kind: str) -> None:
    """That no network was given."""


class GivenNetworks:
    """The networks that were given to the inputs of a run."""

    def __init__(self, texts: Sequence[str], paths: Mapping[str, Sequence[str | Path]]) -> None:
        """Read the texts, and look up the files of the paths in them.

        Args:
            texts: as the table above has them.
            paths: the inputs: kind of record -> its paths.

        Raises:
            ConfigError: a text is none of the table, names no input, or contradicts another.
            SourceError: an input cannot be found.
        """
        self._of_all: str | None = None
        self._of_kind: dict[str, str] = {}
        self._of_file: dict[str, str] = {}
        inputs: set[str] | None = None
        for text in texts:
            place, _, name = (part.strip() for part in text.rpartition("="))
            _check_name(text, name)
            kind = _PLURALS.get(place.replace("-", "_"))
            if not place:
                self._of_all = _same(text, self._of_all, name)
            elif kind is not None:
                if not paths.get(kind):
                    raise ConfigError(
                        f"--network {text}: there are no inputs of {BY_NAME[kind].option}; for what stands among other "
                        "inputs give their path: PATH=NAME"
                    )
                self._of_kind[kind] = _same(text, self._of_kind.get(kind), name)
            else:
                if inputs is None:
                    inputs = {_identity(file) for given in paths.values() for file in expand(given)}
                for file in _files(place) & inputs or _no_input(text, place):
                    self._of_file[file] = _same(text, self._of_file.get(file), name)

    def of(self, given_as: str) -> NetworkOf:
        """The networks of the sources that were given as a kind of record."""
        if not (self._of_all or self._of_kind or self._of_file):
            return no_network
        own = self._of_kind.get(given_as)

        def network(source: str, kind: str) -> str | None:
            path = None if source == STDIN_NAME else Path(source)
            named = self._of_file.get(_identity(path)) if self._of_file else None
            if kind in _EVERYWHERE:
                return named or (own if given_as in _EVERYWHERE else None)
            return named or own or self._of_all

        return network


def _check_name(text: str, name: str) -> None:
    if not name or name == NO_NETWORK or "," in name:
        raise ConfigError(
            f"--network {text}: {name!r} is no name of a network; give one as {SYNTAX}, without commas, "
            f"and not {NO_NETWORK!r}, which stands for no network"
        )


def _same(text: str, before: str | None, name: str) -> str:
    """The name, if what it is given to has no other."""
    if before not in (None, name):
        raise ConfigError(f"--network {text}: the same input was given the network {before!r}; give it one network")
    return name


def _files(place: str) -> set[str]:
    try:
        return {_identity(file) for file in expand([place])}
    except SourceError:
        return set()


def _no_input(text: str, place: str) -> NoReturn:
    kinds = ", ".join(kind.replace("_", "-") for kind in _PLURALS)
    raise ConfigError(
        f"--network {text}: {place} is no file, folder or pattern of an input, and none of the kinds {kinds}; "
        f"name an input as its own option does"
    )


def _identity(path: Path | None) -> str:
    """One text for each file, however it is named; that of standard input is no path of a file."""
    return STDIN_NAME if path is None else os.path.realpath(path)
