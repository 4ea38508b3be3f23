"""Errors of the package. Each message says what was attempted, on what, what was found, and what to do."""

import difflib
from collections.abc import Iterable


class AttributionError(Exception):
    """Base of every error that this package raises on purpose; the command line prints it without a traceback.

    Attributes:
        in_lines: whether line ends in the message are its own. In other messages they come out of names and values.
    """

    in_lines: bool = False


class SchemaError(AttributionError):
    """A file of `schemas/` defines a record in a way that the package does not support."""


class SourceError(AttributionError):
    """A source cannot be read at all: no such file, no known format, nothing in the folder, not readable."""


class RejectLimitError(AttributionError):
    """More rows were rejected than the configured share allows; a line for each reason."""

    in_lines = True


class LakeError(AttributionError):
    """A lake cannot be written or read: not a lake, half of one, no room left."""


class ConfigError(AttributionError):
    """A setting is unknown, of the wrong type, or outside its bounds."""


class QueryError(AttributionError):
    """A question cannot be answered as asked: an unknown filter, a time that cannot be read, no such flow."""


class SeveralFlowsError(QueryError):
    """Several flows fit a question about one; a line for each."""

    in_lines = True


class BadValueError(QueryError):
    """A value of a question cannot be read, or is outside its bounds, whatever the lake holds."""


class WireError(AttributionError):
    """A record cannot be sent through a topic."""


class ClusterError(AttributionError):
    """A broker or a Flink cluster cannot be started, does not answer, or refuses what it was asked."""


class BrokerError(AttributionError):
    """Kafka cannot be reached, refuses, or has not what is needed; or its client is not installed."""


def near_words(given: str, known: Iterable[str], *, cutoff: float = 0.6) -> list[str]:
    """The known words that a mistyped one may mean, at the most three, the nearest first."""
    return difflib.get_close_matches(given, sorted(known), n=3, cutoff=cutoff)


def unknown_name(where: str, what: str, given: str, known: Iterable[str]) -> str:
    """The message about a name that is none of the known ones, with the nearest of them.

    >>> unknown_name("rules.toml", "setting", "hould", ["hold", "max_gap"])
    "rules.toml: unknown setting 'hould'; the settings are hold, max_gap; did you mean hold?"
    """
    names = list(known)
    near = near_words(given, names)
    rather = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{where}: unknown {what} {given!r}; the {what}s are {', '.join(names)}{rather}"
