"""What columns a table, or what keys JSON has, as far as its beginning shows."""

from collections.abc import Iterator, Mapping

from attribution.sources.delimited.cutting import first_row
from attribution.sources.delimited.rows import dialect_of
from attribution.sources.json.objects import begins_json, first_objects, is_json_lines

#: No record is nested as deeply.
_DEEPEST = 8
#: What no name of a column has; text of programs and of people has it.
_NO_NAME = frozenset("{}<>#=")
_LONGEST_NAME = 64


def is_json(head: bytes) -> bool:
    """Whether content that begins so is JSON objects, in any layout."""
    return begins_json(head) or is_json_lines(head)


def keys_of(head: bytes) -> dict[str, tuple[str, ...]]:
    """Each key of the first objects that has a plain value, with dots between the keys that lead to it.

    >>> keys_of(b'{"a": 1, "b": {"c.d": 2}}')
    {'a': ('a',), 'b': ('b',), 'b.c.d': ('b', 'c.d')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in first_objects(head):
        for path in _paths(one, ()):
            found.setdefault(".".join(path), path)
    return found


def columns_shown(head: bytes) -> list[str]:
    r"""The names of columns or keys of content that begins so; none where it is no table and no JSON.

    >>> columns_shown(b"when;from;to\n1;a;b\n")
    ['when', 'from', 'to']
    """
    if is_json(head):
        keys = keys_of(head)
        return [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]
    dialect = dialect_of(head)
    if dialect is None or not all(
        0 < len(name) <= _LONGEST_NAME and _NO_NAME.isdisjoint(name) for name in dialect.names
    ):
        return []
    below = head.lstrip(b"\r\n").partition(b"\n")[2]
    return list(dialect.names) if len(first_row(below, dialect.delimiter)) == len(dialect.names) else []


def _paths(value: object, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping) and len(before) < _DEEPEST:
        for key, inner in value.items():
            yield (*before, str(key))
            yield from _paths(inner, (*before, str(key)))
