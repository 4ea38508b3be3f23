"""Rows that could not be used: the closed list of reasons, and the file in which a run keeps them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

#: Why a row was rejected: every reason there is, and what it means.
REASONS: dict[str, str] = {
    "malformed": "The line or row cannot be parsed: broken JSON, or a JSON value that is no object.",
    "not_text": "The line is no UTF-8, or a list or other bytes stand where a field holds text.",
    "wrong_columns": "The line has more or fewer values than the header has columns.",
    "unusable_header": "The header above the line lacks a column that a record needs.",
    "unknown_kind": "The object has not the fields of any record: see the native format in the documentation.",
    "missing_field": "A field that the record cannot do without is absent, null or empty.",
    "not_a_time": "A time is neither ISO 8601 text nor a whole number of microseconds.",
    "impossible_time": (
        "A time lies before 1990 or after 2099. Small numbers are often relative to the start of a capture (write the "
        "log with absolute times), or seconds where microseconds belong."
    ),
    "end_before_start": "The record ends before it starts, and rounding of its times cannot be why.",
    "not_an_address": "An address is no IPv4 or IPv6 address: a name, or one with a port, a zone or leading zeros.",
    "not_a_prefix": "A prefix is no CIDR prefix, or has host bits set.",
    "not_a_match": (
        "What a policy is for (`match`) is no list of attribute=value pairs with commas, or one attribute has two."
    ),
    "outside_pools": (
        "A policy hands out addresses outside of `pool_prefixes`, where evidence of workloads is believed: name all "
        "prefixes of pools there. One reject counts all rows of a batch or message."
    ),
    "not_a_number": "A number was expected, a whole one wherever no fraction makes sense.",
    "not_a_boolean": "A boolean was expected: true or false.",
    "not_a_list": "A list was expected.",
    "not_a_record": "A record with fields of its own was expected, as a JSON object or an Arrow struct.",
    "out_of_range": "A number does not fit into the 32 or 64 bits of its field, or is infinite.",
    "impossible_port": "A port lies outside 0 to 65535.",
    "not_a_port_range": "The last port of a range lies below the first, or there is no first.",
    "port_without_address": "A port on the wire (`wire_port`) is given without its address.",
    "claim_without_port": "A heartbeat has a `claim`, which a connection makes of one port, and not one port.",
    "port_without_protocol": (
        "Evidence of a port does not say of which transport protocol, or names one that has no ports: TCP 53 and UDP "
        "53 may have two owners."
    ),
    "impossible_protocol": "A protocol is neither a number from 0 to 255 nor the name of a known one.",
    "impossible_count": "A counter is negative, or larger than 10^18.",
    "impossible_flags": "TCP flags lie outside 0 to 65535.",
    "impossible_priority": "A priority has more than 32 bits.",
    "impossible_ttl": "A time to live is negative, no number, or 2^31 seconds and more.",
    "unknown_value": "A field that allows a few words only (direction, basis, action) holds another one.",
    "truncated": "The compressed content ends in the middle; what stands before was read. Copy the file again.",
    "corrupt": "The content is damaged; what stands before the damage was read. Copy the file again.",
    "line_too_long": "A line or an object is longer than 64 MiB; what stands before and after it is read.",
    "unknown_format": "The source is of no known format; nothing of it was read.",
    "unreadable": "The source could not be read on; what stands before was read.",
}

#: How much of a bad row is kept: enough to find it again.
FOUND_CHARACTERS = 500


@dataclass(frozen=True)
class Reject:
    """One row that could not be used.

    Attributes:
        source: the file or stream, as a person names it.
        line: its 1-based line (text) or row (Parquet, Arrow); 0 where the source as a whole is meant.
        reason: a key of `REASONS`.
        found: what stood there.
        kind: the record that it should have been; `row` where that is not known.
    """

    source: str
    line: int
    reason: str
    found: str
    kind: str


class RejectsFile:
    """Writes rejects as JSON lines; the file appears with the first one.

    Staging is the caller's: give a path in a folder that is renamed when it is complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def write(self, reject: Reject) -> None:
        """Append one reject; what was found is cut to `FOUND_CHARACTERS`."""
        if self._file is None:
            # Bytes that are no UTF-8 reach here as lone surrogates.
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        row: dict[str, object] = asdict(reject) | {"found": reject.found[:FOUND_CHARACTERS]}
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Write out what is buffered and close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
