"""JSON documents that span lines: one after the other, as `kubectl` and query interfaces print them."""

import json
from collections.abc import Iterator

from attribution.errors import SourceError
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


def documents(data: Input) -> Iterator[Json]:
    """The documents of an input, in order.

    Raises:
        SourceError: the input is larger than 1 GiB, or breaks off, or is no JSON; the message says where.
    """
    try:
        text = whole(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"cannot read {data.name}: not UTF-8 at byte {error.start}") from None
    decoder, at = json.JSONDecoder(), 0
    while (at := _skip_blank(text, at)) < len(text):
        try:
            document: Json
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            raise SourceError(f"cannot read {data.name}: broken JSON at line {line}: {error}") from None
        yield document


def _skip_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
