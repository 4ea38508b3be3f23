"""Broken JSON documents, read as far as they can be: an entry of a list that cannot be read costs only itself.

Only those lists are taken apart whose entries stand for themselves: an array that is a document, and the lists under
the keys that a format names. All else is read whole or not at all. Half of a pod would say something else than the pod.
"""

import json
import re
from collections.abc import Collection

from attribution.sources.records.json_values import Json, JsonObject

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
#: A text, which may be cut off, a bracket, or what stands between two entries.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
#: What bytes that are no UTF-8 become with `surrogateescape`.
_NO_TEXT = re.compile("[\udc80-\udcff]")


def blank_end(text: str, at: int) -> int:
    """The place of the next character that is not blank."""
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def decoded_value(text: str, at: int) -> tuple[Json, int]:
    """The JSON value that begins at a place, and where it ends.

    Raises:
        ValueError: there is none, it breaks off, or bytes in it were no UTF-8.
        RecursionError: it is nested too deeply.
    """
    value: Json
    value, end = _DECODER.raw_decode(text, at)
    bad = None if text.isascii() else _NO_TEXT.search(text, at, end)
    if bad is not None:
        raise json.JSONDecodeError("no UTF-8", text, bad.start())
    return value, end


def value_with_entries(text: str, at: int, lists: Collection[str]) -> tuple[Json, int]:
    r"""The JSON value that begins at a place, and where it ends; entries that cannot be read are their own text.

    Args:
        text: of a document; bytes that were no UTF-8 as `surrogateescape` writes them.
        at: where the value begins.
        lists: keys of the lists whose entries stand for themselves.

    Raises:
        ValueError: something else than an entry of these lists cannot be read, or a bracket has no other.
        RecursionError: likewise, where it is nested too deeply.

    >>> value_with_entries('{"kind": "List", "items": [{"a": 1}, {"a": +1}, {"b": 2}]}', 0, ["items"])[0]
    {'kind': 'List', 'items': [{'a': 1}, '{"a": +1}', {'b': 2}]}
    """
    try:
        return decoded_value(text, at)
    except (ValueError, RecursionError):
        if text.startswith("[", at):
            return _entries(text, at, lists)
        if text.startswith("{", at):
            return _members(text, at, lists)
        raise


def end_of_value(text: str, at: int) -> int:
    """Where what begins at a place ends by its brackets, or at the next comma if it begins with none.

    Raises:
        ValueError: it does not end.
    """
    open_brackets = []
    for token in _TOKEN.finditer(text, at):
        found = token[0]
        if found in ("{", "["):
            open_brackets.append("}" if found == "{" else "]")
        elif not open_brackets and found in (",", "]", "}"):
            return token.start()
        elif found in ("}", "]"):
            if open_brackets.pop() != found:
                break
            if not open_brackets:
                return token.end()
    raise json.JSONDecodeError("a bracket without its other", text, at)


def _entries(text: str, at: int, lists: Collection[str]) -> tuple[Json, int]:
    found: list[Json] = []
    at = blank_end(text, at + 1)
    if text.startswith("]", at):
        return found, at + 1
    while True:
        try:
            value, end = value_with_entries(text, at, lists) if text.startswith("{", at) else decoded_value(text, at)
            end = blank_end(text, end)
            if not text.startswith((",", "]"), end):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, end)
        except (ValueError, RecursionError):
            end = end_of_value(text, at)
            value = text[at:end]
            end = blank_end(text, end)
        found.append(value)
        if text.startswith("]", end):
            return found, end + 1
        if not text.startswith(",", end):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, end)
        at = blank_end(text, end + 1)


def _members(text: str, at: int, lists: Collection[str]) -> tuple[Json, int]:
    found: JsonObject = {}
    while True:
        at = blank_end(text, at + 1)
        name, at = decoded_value(text, at)
        at = blank_end(text, at)
        if not isinstance(name, str) or not text.startswith(":", at):
            raise json.JSONDecodeError("Expecting a key and ':'", text, at)
        at = blank_end(text, at + 1)
        inside = text.startswith("{", at) or (name in lists and text.startswith("[", at))
        found[name], at = value_with_entries(text, at, lists) if inside else decoded_value(text, at)
        at = blank_end(text, at)
        if text.startswith("}", at):
            return found, at + 1
        if not text.startswith(",", at):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
