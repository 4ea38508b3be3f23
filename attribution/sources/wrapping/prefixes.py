"""What stands before, or around, the record on each line of text: times, streams, names of pods."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.pieces import joined

_BLOCK_BYTES = 4 << 20
#: What stands where in a time such as 2026-03-02T10:00:00, and how long such a time is.
_MARKS = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_TIME_LENGTH = 19
_TIME = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
#: Headers of RFC 5424 and of RFC 3164, behind the priority.
_SYSLOG = rb"1 " + _TIME + rb"(?: \S+){4} (?:-|(?:\[.*?\])+) (?:\xef\xbb\xbf)?"
_OLD_SYSLOG = rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ [^\s:]+: "
#: A part of a line of CRI that goes on in the next line.
_PART = re.compile(rb"(?m)^" + _TIME + rb" std(?:out|err) P(?::\w+)* (.*)\n?")
_CRI = rb"^" + _TIME + rb" std(?:out|err) [FP](?::\w+)* "


@dataclass(frozen=True)
class Prefix:
    """The same kind of prefix on every line.

    Attributes:
        name: as that of `Layer`.
        pattern: the prefix, at the start of a line.
        words: of how many words it is, each with a blank behind it, the first a time; 0 if it is none of that kind.
    """

    name: str
    pattern: re.Pattern[bytes]
    words: int = 0

    def unwrap(self, data: Input, report: Report) -> Lines:  # noqa: ARG002 - nothing is left out
        """The lines without their prefix; a line that has none stays as it is, for its format to judge."""
        for first_line, block in data.lines(_BLOCK_BYTES):
            cut = _without_words(block, self.words) if self.words else None
            yield first_line, self.pattern.sub(b"", block) if cut is None else cut


@dataclass(frozen=True)
class Cri:
    """Lines as container runtimes write them; long ones in parts, tagged P, of which the last is tagged F."""

    name: str = "lines of a container runtime (CRI)"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The lines without their prefix, each on that of its last part."""
        prefix, begun = re.compile(rb"(?m)" + _CRI), b""
        for first_line, block in data.lines(_BLOCK_BYTES):
            if not begun and b" stdout P" not in block and b" stderr P" not in block:
                cut = _without_words(block, 3, last=b" F ")
                yield first_line, prefix.sub(b"", block) if cut is None else cut
                continue
            found = []
            for line in block.removesuffix(b"\n").split(b"\n"):
                part = _PART.fullmatch(line)
                begun += part[1] if part else prefix.sub(b"", line)
                found.append(b"" if part else begun)
                begun = begun if part else b""
            yield first_line, b"\n".join(found) + b"\n"
        if begun:
            report.on_bad(0, begun, "truncated")


@dataclass(frozen=True)
class AwsText:
    """Lines of `aws logs … --output text`: `EVENTS`, then fields between tabs, the message before the last."""

    name: str = "events of `aws logs` as text"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The messages, each on the line that it had; lines about streams and tokens are blank."""
        for first_line, block in data.lines(_BLOCK_BYTES):
            found, others = [], 0
            for line in block.removesuffix(b"\n").split(b"\n"):
                fields = line.rstrip(b"\r").split(b"\t")
                whole = fields[0] == b"EVENTS" and len(fields) >= _LEAST_FIELDS
                others += bool(line.strip()) and not whole
                # A message may hold tabs: what stands before it are numbers, and the name of the stream.
                found.append(b"\t".join(fields[_before(fields) : -1]) if whole else b"")
            if others:
                report.skip("no_record_inside", others)
            yield first_line, b"\n".join(found) + b"\n"


#: A token for the next page may stand before the events.
_EVENT = re.compile(rb"\A(?:[^\n]*\n)?EVENTS\t")
_LEAST_FIELDS = 4


def _before(fields: list[bytes]) -> int:
    """How many fields stand before the message: with an identifier of the event there is a stream, too."""
    return 4 if len(fields) > 5 and fields[1].isdigit() and fields[2].isdigit() else 2


@dataclass(frozen=True)
class BetweenTabs:
    """Messages between tabs, as `aws logs … --query 'events[].message' --output text` prints them."""

    name: str = "messages between tabs"

    def unwrap(self, data: Input, report: Report) -> Lines:  # noqa: ARG002 - nothing is left out
        """The messages, numbered from 1."""
        number, rest = 1, b""
        while chunk := data.read(_BLOCK_BYTES):
            lines, _, rest = (rest + chunk.replace(b"\t", b"\n")).rpartition(b"\n")
            if lines:
                yield number, lines + b"\n"
                number += lines.count(b"\n") + 1
        if rest:
            yield number, rest


#: Prefixes, those that take most first: a time alone is the beginning of nearly all of them.
_PREFIXES = (
    Prefix("lines of a log stream (`aws logs tail`)", re.compile(rb"(?m)^" + _TIME + rb" [^\s{]+ "), words=2),
    Prefix("lines with a time", re.compile(rb"(?m)^" + _TIME + rb" "), words=1),
    Prefix("lines with a time", re.compile(rb"(?m)^\d{13}[ \t]")),
    Prefix("lines of Fluentd", re.compile(rb"(?m)^" + _TIME + rb"\t[^\t\n]+\t")),
    Prefix("lines of `kubectl logs --prefix`", re.compile(rb"(?m)^\[pod/[^\]\s]+\] ")),
    Prefix("lines of syslog", re.compile(rb"(?m)^<\d{1,3}>(?:" + _SYSLOG + rb"|" + _OLD_SYSLOG + rb")")),
)


def _without_words(block: bytes, words: int, *, last: bytes = b" ") -> bytes | None:
    """The lines without their first words; None if a line does not begin with a time as this one: 2026-03-02T10:00:00.

    Much faster than a regular expression, and for blocks only in which every line has all the words.

    Args:
        block: whole lines.
        words: how many, each with a blank behind it.
        last: what the words end with.
    """
    characters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(characters == ord("\n")) + 1
    if not len(ends) or ends[-1] != len(block):
        ends = np.append(ends, len(block))
    starts = np.concatenate([[0], ends[:-1]])
    if int((ends - starts).min()) <= _TIME_LENGTH:
        return None
    for place, mark in _MARKS:
        if (characters[starts + place] != ord(mark)).any():
            return None
    blanks = np.flatnonzero(characters == ord(" "))
    first = np.searchsorted(blanks, starts)
    if int(first[-1]) + words > len(blanks):
        return None
    behind = blanks[first + words - 1] + 1
    # The word behind the time is the name of a stream, not the beginning of a document.
    opened = words > 1 and (characters[np.minimum(blanks[first] + 1, len(block) - 1)] == ord("{")).any()
    if opened or (behind >= ends).any():
        return None
    for place, character in enumerate(reversed(last), 1):
        if (characters[behind - place] != character).any():
            return None
    return joined(block, behind, ends)


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that content with this beginning may have."""
    line = head.lstrip().split(b"\n", 1)[0]
    if re.match(_CRI, line):
        yield Cri()
    if _EVENT.search(head):
        yield AwsText()
    for prefix in _PREFIXES:
        if prefix.pattern.match(line):
            yield prefix
    if b"\t" in line:
        yield BetweenTabs()
