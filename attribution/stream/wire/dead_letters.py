"""Rows and messages of a topic that could not be used: the closed list of reasons, and the letter about each."""

import json
from dataclasses import dataclass

from attribution.sources.records import rejects

#: Reasons that only a topic has; `attribution.sources.records.rejects` has the others.
OF_MESSAGES: dict[str, str] = {
    "no_value": "The message has no value: a tombstone, or nothing at all.",
    "not_arrow": (
        "The message begins like an Arrow stream but is none: cut off, damaged, or not what its headers say."
    ),
    "wrong_type": "A column of the Arrow stream is there twice, or of a type that no field can have.",
    "wrong_kind": "The row is a record, but not of the kind that belongs into this topic.",
    "too_large": "The message holds more than is taken at once: bytes, rows, or text once it is decompressed.",
    "text_too_long": "A text, a list or a record has more than 16 KiB; no name or address is as long.",
    "ahead_of_report": (
        "Rows are of more than an hour after the time of their message: a clock is wrong. One letter counts them all."
    ),
    "foreign_prefix": (
        "Evidence about addresses of another region; or a question or an answer of a region about addresses that are "
        "not its to ask or to answer about. One letter counts all rows of the message."
    ),
    "more_rejects": "Further rows of the message were rejected; `found` says how many for which reason.",
    "failed": "The message could not be read for a reason that nobody foresaw; please report it with the message.",
}
#: Every reason of a dead letter, and what it means.
REASONS: dict[str, str] = rejects.REASONS | OF_MESSAGES


@dataclass(frozen=True)
class Rejected:
    """A row that could not be used.

    Attributes:
        row: row of the Arrow batch or line of the JSON text, from 1; None where the whole message is meant.
        reason: a key of `REASONS`.
        found: what stood there.
    """

    row: int | None
    reason: str
    found: str


def letter(topic: str, partition: int, offset: int, kind: str, rejected: Rejected) -> dict[str, object]:
    """A row of `schemas/dead_letter.avsc` about one rejected row."""
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "row": rejected.row,
        "kind": kind,
        "reason": rejected.reason,
        # A lone surrogate, which JSON can hold, is no text that a file can.
        "found": rejected.found[: rejects.FOUND_CHARACTERS].encode("utf-8", "backslashreplace").decode(),
    }


def dead_letter(topic: str, partition: int, offset: int, kind: str, rejected: Rejected) -> bytes:
    """The Kafka value about one rejected row: a JSON object of `schemas/dead_letter.avsc`."""
    return json.dumps(letter(topic, partition, offset, kind, rejected)).encode()
