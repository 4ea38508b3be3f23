"""The mapping files that a person gives to inputs: `--mapping`.

`attribution.sources.given` says how: to all inputs, to a kind, or to a path. An input with a mapping is read by it,
whatever its content looks like.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from attribution.errors import ConfigError
from attribution.sources.given import Given
from attribution.sources.mapping.file import mapping_file
from attribution.sources.mapping.format import MappedFormat
from attribution.sources.records.model import Format

#: What a person gives as `--mapping`.
SYNTAX = "[KIND=|PATH=]FILE"
#: The format of a source that has a mapping: called with its name; None where it has none.
MappingOf: TypeAlias = Callable[[str], Format | None]


def not_mapped(_source: str) -> None:
    """That nobody gave a mapping."""


class GivenMappings:
    """The mapping files that were given to the inputs of a run."""

    def __init__(self, texts: Sequence[str], paths: Mapping[str, Sequence[str | Path]]) -> None:
        """Read the texts and the files; arguments and errors are those of `attribution.sources.given.Given`."""
        self._given = Given("--mapping", "file", texts, paths, _check_file)

    def of(self, given_as: str) -> MappingOf:
        """The mappings of the sources that were given as a kind of record."""
        given = self._given
        if not given:
            return not_mapped
        rest = given.for_kind.get(given_as) or given.for_all

        def mapping(source: str) -> Format | None:
            path = given.for_file(source) or rest
            return None if path is None else _format(path)

        return mapping


@cache
def _format(path: str) -> Format:
    return MappedFormat(mapping_file(path))


def _check_file(text: str, path: str) -> None:
    if not path:
        raise ConfigError(f"--mapping {text}: name a mapping file as {SYNTAX}")
    mapping_file(path)
