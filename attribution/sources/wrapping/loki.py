"""Entries of Loki: the answer to a query, what is pushed to it, and lines of `logcli`.

NetObserv and others make labels of some fields, which then stand around the record and not in it. Labels that a format
declares as its fields (`Format.labels`) are put back; an entry's own field of that name wins. Any other label is that
of the shipper, and names nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from attribution.errors import SourceError
from attribution.sources.json.documents import documents
from attribution.sources.json.field_types import leaf
from attribution.sources.json.objects import first_objects
from attribution.sources.json.shapes import Path
from attribution.sources.records.json_values import Json, JsonObject, load, object_at
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.lines_of import blocks_of, line_by_line

_BLOCK_BYTES = 4 << 20
#: An entry as it stands in a document.
_ENTRY = re.compile(rb'\[\s*"\d+"\s*,\s*("(?:[^"\\]|\\.)*")')
#: An entry is its time, its text, and perhaps its metadata.
_OF_ENTRY = (2, 3)
_STREAMS = (
    ("the answer of Loki", re.compile(rb'(?<!\\)"resultType"\s*:\s*"streams"'), ("data", "result")),
    ("what is pushed to Loki", re.compile(rb'\A\s*\{\s*"streams"\s*:\s*\['), ("streams",)),
)
#: `2026-03-02T10:00:00Z {app="x"} text`, as `logcli` prints it.
_PRINTED = re.compile(rb"^(?:[0-9T:.+Z-]+ )?\{((?:[A-Za-z_]\w*=\"(?:[^\"\\]|\\.)*\"(?:, ?)?)*)\}\s+(.*)$", re.DOTALL)
_LABEL = re.compile(rb"([A-Za-z_]\w*)=(\"(?:[^\"\\]|\\.)*\")")


@dataclass(frozen=True)
class Streams:
    """Streams with their labels, each with entries, in a document.

    Attributes:
        name: as that of `Layer`.
        keys: those that lead to the list of streams.
    """

    name: str
    keys: Path

    def peek(self, head: bytes) -> bytes:
        """The entries of which the time and the text stand in the beginning of a document."""
        return b"".join(_flat(text) + b"\n" for entry in _ENTRY.findall(head) if (text := _unquoted(entry)))

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The entries, numbered from 1 over all streams; what is none is malformed.

        Raises:
            SourceError: the content is no JSON, or larger than 1 GiB, or an answer without streams.
        """
        return blocks_of(self._every_entry(data, report))

    def _every_entry(self, data: Input, report: Report) -> Iterator[str | None]:
        number = 1
        for document in documents(data, (self.keys[-1], "values")):
            streams = leaf(document, self.keys)
            if not isinstance(streams, list) or (streams and not any(map(_is_stream, streams))):
                raise SourceError(
                    f"cannot read {data.name}: a document of Loki without {'.'.join(self.keys)}[].stream and values; "
                    "save the answer to a log query (resultType streams)"
                )
            for stream in streams:
                texts = _entries(stream, number, report)
                yield from texts
                number += len(texts)


@dataclass(frozen=True)
class LogcliLines:
    """Lines of `logcli --output=jsonl`: an entry with its labels each."""

    name: str = "lines of `logcli`"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The entries, each on the line that it had."""

        def entry(value: Json) -> str | None:
            text = value.get("line") if isinstance(value, dict) else None
            if not isinstance(text, str):
                return None
            report.skip_blank(text)
            return _with_labels(text, object_at(value, "labels"), report.labels)

        return line_by_line(data, report, entry)


@dataclass(frozen=True)
class PrintedLines:
    """Lines of `logcli` as it prints them: the time, the labels in braces, the entry."""

    name: str = "lines printed by `logcli`"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The entries, each on the line that it had; a line without labels is an entry itself."""
        for first_line, block in data.lines(_BLOCK_BYTES):
            values = []
            for line in block.removesuffix(b"\n").split(b"\n"):
                match = _PRINTED.match(line)
                text = (match[2] if match else line).decode("utf-8", "surrogateescape")
                labels = _LABEL.findall(match[1]) if match else []
                found: JsonObject = {key.decode(): _unquoted(value) for key, value in labels}
                values.append(_with_labels(text, found, report.labels))
            yield first_line, "".join(f"{value}\n" for value in values).encode("utf-8", "surrogateescape")


def _flat(text: str) -> bytes:
    return text.replace("\n", " ").encode("utf-8", "replace")


def _unquoted(value: bytes) -> str | None:
    try:
        text = load(value)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(text, str) else None


def _is_stream(stream: Json) -> bool:
    """Whether it has labels and entries."""
    if not isinstance(stream, dict):
        return False
    return isinstance(stream.get("stream"), dict) and isinstance(stream.get("values"), list)


def _entries(stream: Json, number: int, report: Report) -> list[str | None]:
    """The entries of a stream; what is no stream stands for one."""
    entries = stream["values"] if isinstance(stream, dict) and _is_stream(stream) else [stream]
    labels, texts = object_at(stream, "stream"), list[str | None]()
    for entry in entries if isinstance(entries, list) else ():
        text = entry[1] if isinstance(entry, list) and len(entry) in _OF_ENTRY else None
        if isinstance(text, str):
            report.skip_blank(text)
            texts.append(_with_labels(text, labels, report.labels))
        else:
            found = entry if isinstance(entry, str) else json.dumps(entry)
            report.on_bad(number + len(texts), found.encode("utf-8", "surrogatepass"), "malformed")
            texts.append(None)
    return texts


def _with_labels(entry: str, labels: JsonObject, wanted: frozenset[str]) -> str:
    """The entry with the wanted labels among its fields, if it is an object."""
    inside = entry.strip()
    missing = {
        name: value
        for name, value in labels.items()
        if name in wanted and f'"{name}"' not in inside and value is not None
    }
    if not missing or not inside.startswith("{"):
        return entry
    inside = inside[1:].lstrip()
    return f"{json.dumps(missing)[:-1]}{'' if inside.startswith('}') else ','}{inside}"


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that content with this beginning may have."""
    for name, telling, keys in _STREAMS:
        if telling.search(head):
            yield Streams(name, keys)
    line = head.lstrip().split(b"\n", 1)[0]
    if _PRINTED.match(line) and b'="' in line:
        yield PrintedLines()
    for found in first_objects(head)[:1] if head.lstrip().startswith(b"{") else ():
        if isinstance(found.get("labels"), dict) and isinstance(found.get("line"), str):
            yield LogcliLines()
