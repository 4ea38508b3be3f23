"""JSON documents that span lines: one after the other, as `kubectl` and query interfaces print them."""

from collections.abc import Collection, Iterator
from contextlib import suppress

from attribution.errors import SourceError
from attribution.sources.json.entries import blank_end, end_of_value, value_with_entries
from attribution.sources.records.json_values import Json
from attribution.sources.records.model import Input

#: Documents must be read whole. Larger than this they are refused; JSON lines have no limit.
_LIMIT_BYTES = 1 << 30
_READ_BYTES = 1 << 22


def whole(data: Input) -> bytes:
    """All content of an input.

    Raises:
        SourceError: it is larger than 1 GiB.
    """
    parts, size = [], 0
    while part := data.read(_READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > _LIMIT_BYTES:
            raise SourceError(
                f"cannot read {data.name}: a JSON document of more than 1 GiB; write it as JSON lines, or in parts"
            )
    return b"".join(parts)


def documents(data: Input, lists: Collection[str] = ()) -> Iterator[Json]:
    """The documents of an input, in order. What of them cannot be read stands there as text, if the rest can.

    Args:
        data: JSON documents, one after the other.
        lists: keys of the lists whose entries stand for themselves; an entry that cannot be read becomes its text.

    Raises:
        SourceError: the input is larger than 1 GiB, or breaks off; the message says where.
    """
    # Bytes that are no UTF-8 cost the entry in which they stand.
    text = whole(data).decode("utf-8-sig", "surrogateescape")
    at = blank_end(text, 0)
    while at < len(text):
        document, at = _document(data.name, text, at, lists)
        yield document
        at = blank_end(text, at)


def _document(source: str, text: str, at: int, lists: Collection[str]) -> tuple[Json, int]:
    try:
        return value_with_entries(text, at, lists)
    except (ValueError, RecursionError) as error:
        with suppress(ValueError):
            end = end_of_value(text, at)
            if end > at and text[(behind := blank_end(text, end)) : behind + 1] in ("", "{", "["):
                return text[at:end], end
        line = text.count("\n", 0, getattr(error, "pos", at)) + 1
        raise SourceError(f"cannot read {source}: broken JSON at line {line}: {error}") from None
