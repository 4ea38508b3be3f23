"""When the requests began whose answers stand in the inputs, as a person gives it: `--seen-at`.

A snapshot, such as a list of pods, does not say when it was taken. Nothing about its file says it: the time of a file
is the end of a slow request, of a copy or of a checkout. `attribution.sources.given` says how a time is given: to all
inputs, to a kind, or to a path. Only formats of snapshots ask for it. A time that stands in a snapshot comes first.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from attribution.config import MINUTE
from attribution.errors import ConfigError
from attribution.sources.given import Given
from attribution.sources.records.timestamps import instant

#: How far ahead of this machine's clock another one may be, microseconds.
_AHEAD_US = MINUTE
#: What a person gives as `--seen-at`.
SYNTAX = "[KIND=|PATH=]TIME"
#: When the requests began whose answers are a source, microseconds: called with its name; None where nobody said.
SeenAt: TypeAlias = Callable[[str], int | None]


def not_said(_source: str) -> None:
    """That nobody said it."""


class GivenRequestTimes:
    """The times that were given to the inputs of a run."""

    def __init__(self, texts: Sequence[str], paths: Mapping[str, Sequence[str | Path]]) -> None:
        """Read the texts; arguments and errors are those of `attribution.sources.given.Given`."""
        self._given = Given("--seen-at", "time", texts, paths, _check_time)

    def of(self, given_as: str) -> SeenAt:
        """The times of the sources that were given as a kind of record."""
        given = self._given
        if not given:
            return not_said
        rest = given.for_kind.get(given_as) or given.for_all

        def seen_at(source: str) -> int | None:
            text = given.for_file(source) or rest
            return None if text is None else instant(text, zone_needed=True)

        return seen_at


def is_to_come(moment_us: int) -> bool:
    """Whether a request cannot have begun at a moment, because it is still to come."""
    return moment_us > time.time_ns() // 1000 + _AHEAD_US


def _check_time(text: str, said: str) -> None:
    moment_us = instant(said, zone_needed=True)
    if moment_us is not None and is_to_come(moment_us):
        raise ConfigError(f"--seen-at {text}: {said!r} is still to come; give the time at which the request began")
    if moment_us is None:
        raise ConfigError(
            f"--seen-at {text}: {said!r} is no time with its zone; give one as {SYNTAX}: when the request began, "
            "as 2026-03-02T10:00:00Z"
        )
