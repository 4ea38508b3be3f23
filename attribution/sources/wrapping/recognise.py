"""Finds what content is wrapped in: only a wrapping in which a known format stands is one.

So nothing is guessed. Each wrapping that the beginning of the content may have is taken off that beginning, and the
formats are asked what stands inside. Wrappings may stand in each other: CRI lines in `log` of Fluent Bit, in events of
CloudWatch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from attribution.errors import AttributionError
from attribution.sources.input.decompression import Damage
from attribution.sources.input.in_memory import InMemory
from attribution.sources.json.objects import begins_json, is_json_lines
from attribution.sources.records.model import Account, Format, Input
from attribution.sources.records.set_aside import bad_lines
from attribution.sources.wrapping import loki, messages, objects, prefixes, tables
from attribution.sources.wrapping.layer import Layer, Lines, Report, WholeLayer
from attribution.sources.wrapping.messages import OnlyObjects
from attribution.sources.wrapping.unwrapped import Unwrapped

#: What a format is to who asks.
Found = TypeVar("Found")

#: The kinds of wrappings, the most telling first.
_KINDS = (loki, objects, tables, messages, prefixes)
#: So many wrappings may stand in each other.
_DEEPEST = 4
_HEAD_BYTES = 64 << 10
#: So many lines before the first record may be something else.
_LATER_LINES = 3
_CUT_OFF = Damage("truncated", "only the beginning is looked at")


@dataclass(frozen=True)
class Recognised(Generic[Found]):
    """A format, and what its records are wrapped in.

    Attributes:
        format: what `matches` returned.
        layers: the wrappings, the outermost first.
    """

    format: Found
    layers: tuple[Layer, ...]

    @property
    def wrapping(self) -> str:
        """The wrappings as a person calls them, the innermost first; empty if there is none."""
        return " in ".join(layer.name for layer in reversed(self.layers) if layer.name)


def recognise(head: bytes, matches: Callable[[bytes], Found | None]) -> Recognised[Found] | None:
    """The format of content and its wrappings; None if no format stands in it.

    Args:
        head: the beginning of the content.
        matches: what a beginning is, or None.
    """
    return _in(head, matches, ())


def inside(head: bytes) -> Recognised[bytes] | None:
    """The beginning of what stands in the most telling wrapping of content that holds no known format; for messages."""
    layers: tuple[Layer, ...] = ()
    while len(layers) < _DEEPEST:
        peeks = ((layer, _peek(layer, head)) for kind in _KINDS for layer in kind.candidates(head))
        found = next(((layer, inner) for layer, inner in peeks if inner.strip() and inner != head), None)
        if found is None:
            break
        layers, head = (*layers, found[0]), found[1]
    return Recognised(head, layers) if layers else None


def unwrapped(data: Input, found: Recognised[Format], account: Account) -> Input:
    """The content inside of all wrappings; the input itself if it has none.

    Args:
        data: the source.
        found: what it was recognised as.
        account: of the format; takes what cannot be unwrapped, and counts the source by its wrapping.
    """
    if found.wrapping:
        account.unwrapped(found.wrapping)
    report = Report(bad_lines(account, data.name, "row"), account.skip, found.format.labels)
    for layer in found.layers:
        data = Unwrapped(data, layer, report)
    return data


def _in(head: bytes, matches: Callable[[bytes], Found | None], layers: tuple[Layer, ...]) -> Recognised[Found] | None:
    found = matches(head)
    if found is not None:
        of_objects = bool(layers) and begins_json(head) and is_json_lines(head)
        return Recognised(found, (*layers, OnlyObjects()) if of_objects else layers)
    if layers or (begins_json(head) and is_json_lines(head)):
        found = next((one for later in _later_lines(head) if (one := matches(later)) is not None), None)
        if found is not None:
            return Recognised(found, (*layers, OnlyObjects()) if layers else ())
    if len(layers) == _DEEPEST:
        return None
    for kind in _KINDS:
        for layer in kind.candidates(head):
            inner = _peek(layer, head)
            recognised = _in(inner, matches, (*layers, layer)) if inner.strip() and inner != head else None
            if recognised is not None:
                return recognised
    return None


def _later_lines(head: bytes) -> Iterator[bytes]:
    """The content from its next lines on that begin an object: those before them may be no records."""
    head = head.lstrip()
    for _ in range(_LATER_LINES):
        begin = head.find(b"\n{") + 1
        if not begin:
            return
        head = head[begin:]
        yield head


def _peek(layer: Layer, head: bytes) -> bytes:
    """The beginning of what stands inside."""
    if isinstance(layer, WholeLayer):
        return layer.peek(head)
    cut_off = None if len(head) < _HEAD_BYTES else _CUT_OFF
    lines = layer.unwrap(InMemory("", head, damage=cut_off), Report(lambda *_: None, lambda *_: None))
    return b"".join(_until_error(lines))


def _until_error(lines: Lines) -> Iterator[bytes]:
    try:
        for _, block in lines:
            yield block if block.endswith(b"\n") else block + b"\n"
    except AttributionError:
        return
