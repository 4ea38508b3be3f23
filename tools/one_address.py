"""The README's picture: one address over time, as ownership ranges and as an event table tell it.

    python tools/one_address.py                                 # draw docs/figures/one-address.svg anew
    python tools/one_address.py --demo demo --address 10.0.1.9  # draw another address of a demo that is there

Every mark is a row of a real run: the fleet of `make demo`, its lake, its events and its truth. The event table is the
baseline `latest event` of `attribution evaluate`.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from demo import make_fleet

from attribution.testbed.evaluate.alignment import aligned
from attribution.testbed.evaluate.baselines import EventLog, baselines
from attribution.testbed.evaluate.evaluate import read_events
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.texts import FleetTexts

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "figures" / "one-address.svg"

ADDRESS = "10.0.1.246"
BEGIN = "2026-03-02T00:39:00Z"
MINUTES = 12

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND

# Colours that those who see few colours can tell apart (Okabe and Ito, the green darker).
_COLOURS = ("#0072b2", "#e69f00", "#007a5a", "#cc79a7", "#56b4e9", "#7a5c00")
#: Those on which text is dark.
_LIGHT = ("#e69f00", "#cc79a7", "#56b4e9")
_WRONG = "#c1121f"
_INK, _FAINT, _PAPER, _GRID = "#1f2328", "#59636e", "#ffffff", "#d8dee4"
_FONTS = "-apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif"

_WIDTH, _HEIGHT = 860, 428
_LEFT, _RIGHT = 150, 836


@dataclass(frozen=True)
class Span:
    """A time during which one workload is said, or known, to hold the address; microseconds."""

    workload: str
    start_us: int
    end_us: int


@dataclass(frozen=True)
class Drawn:
    """A flow whose remote end is the address.

    Attributes:
        start_us: when it began; microseconds.
        truth: workload that was at the address.
        named: workload that attribution names; None for nobody.
        reason: why.
        event: workload that the event table names; None for nobody.
    """

    start_us: int
    truth: str
    named: str | None
    reason: str
    event: str | None


@dataclass(frozen=True)
class Story:
    """All that is drawn.

    Attributes:
        address: the address.
        begin_us: left edge; microseconds.
        end_us: right edge; microseconds.
        tenures: who really held it.
        heartbeats: when who was seen at it.
        ranges: ownership ranges.
        table: whom the event table names at each moment.
        flows: flows with it at the remote end, by start.
    """

    address: str
    begin_us: int
    end_us: int
    tenures: tuple[Span, ...]
    heartbeats: tuple[Span, ...]
    ranges: tuple[Span, ...]
    table: tuple[Span, ...]
    flows: tuple[Drawn, ...]


def chosen_story(demo: Path) -> Story:
    """What is drawn for the README, from that folder of a demo."""
    return read_story(demo, ADDRESS, _time(BEGIN), _time(BEGIN) + MINUTES * _MINUTE)


def read_story(demo: Path, address: str, begin_us: int, end_us: int) -> Story:
    """What the fleet and the lake of a demo say about an address from one time to another."""
    fleet, lake = demo / "fleet", demo / "lake"
    events = read_events(fleet / "workload_events.parquet")
    log = EventLog(events)
    ranges = _rows(lake / "ownership_ranges", address, ["workload", "start", "end"])
    heartbeats = _rows(fleet / "heartbeats.parquet", address, ["workload", "start", "end"])
    own = ds.dataset(fleet / "flows.parquet").to_table(
        columns=["local_workload", "start", "end"], filter=ds.field("local_address") == address
    )
    seen = [*_spans(heartbeats), *_spans(own.rename_columns(["workload", "start", "end"]))]

    def inside(spans: Iterable[Span]) -> tuple[Span, ...]:
        kept = (span for span in spans if span.end_us >= begin_us and span.start_us <= end_us)
        return tuple(sorted(kept, key=lambda span: span.start_us))

    return Story(
        address=address,
        begin_us=begin_us,
        end_us=end_us,
        tenures=inside(_tenures(address)),
        heartbeats=inside(seen),
        ranges=inside(_spans(ranges)),
        table=tuple(_table(log, events, address, begin_us, end_us)),
        flows=tuple(_flows(lake, fleet, log, address, begin_us, end_us)),
    )


def _rows(path: Path, address: str, columns: Sequence[str]) -> pa.Table:
    rows = ds.dataset(path, format="parquet", partitioning="hive")
    return rows.to_table(columns=list(columns), filter=ds.field("address") == address)


def _spans(rows: pa.Table) -> list[Span]:
    starts, ends = (rows.column(name).cast(pa.int64()).to_pylist() for name in ("start", "end"))
    workloads = rows.column("workload").cast(pa.string()).to_pylist()
    return [Span(*row) for row in zip(workloads, starts, ends, strict=True)]


def _tenures(address: str) -> list[Span]:
    """Who really held the address, which only the simulation knows."""
    fleet = simulate(scenario("gateway"), seed=1).fleet
    texts, every = FleetTexts(fleet), np.arange(len(fleet.tenures))
    at = np.flatnonzero(np.asarray(pc.equal(texts.address(every), address)))
    columns = texts.workload(at).to_pylist(), fleet.tenures.start[at].tolist(), fleet.tenures.end[at].tolist()
    return [Span(*row) for row in zip(*columns, strict=True)]


def _table(log: EventLog, events: pa.Table, address: str, begin_us: int, end_us: int) -> Iterable[Span]:
    """Whom the table names: it changes only at the moment at which an event is delivered."""
    held = pc.equal(events.column("address").cast(pa.string()), address)
    received = events.filter(held).column("received").cast(pa.int64()).to_pylist()
    edges = [begin_us, *sorted({time_us for time_us in received if begin_us < time_us < end_us}), end_us]
    at = np.array(edges[:-1])
    keys = log.keys(pa.array([address] * len(at)), np.full(len(at), -1, dtype=np.int32))
    rows = log.latest(keys, at)
    owners = [log.owner[int(row)].as_py() if row >= 0 else None for row in rows]
    start_us, last = begin_us, owners[0]
    for edge, owner in zip([*edges[1:-1], end_us], [*owners[1:], ""], strict=True):
        if owner != last:
            if last:
                yield Span(last, start_us, edge)
            start_us, last = edge, owner


def _flows(lake: Path, fleet: Path, log: EventLog, address: str, begin_us: int, end_us: int) -> list[Drawn]:
    found = []
    for part in aligned(lake, fleet / "truth.parquet"):
        starts = part.truth.column("start").cast(pa.int64())
        wanted = pc.and_(
            pc.equal(part.truth.column("remote_address").cast(pa.string()), address),
            pc.and_(pc.greater_equal(starts, begin_us), pc.less(starts, end_us)),
        )
        truth, answers = part.truth.filter(wanted), part.answers.filter(wanted)
        start, end = (np.asarray(truth.column(name).cast(pa.int64())) for name in ("start", "end"))
        keys = log.keys(truth.column("remote_address"), np.full(len(start), -1, dtype=np.int32))
        latest, _ = baselines()
        event, _ = latest.attribute(log, keys, start, end)
        columns = (
            start.tolist(),
            truth.column("remote_workload").to_pylist(),
            answers.column("remote_workload").to_pylist(),
            answers.column("remote_reason").to_pylist(),
            event.to_pylist(),
        )
        found += [Drawn(*row) for row in zip(*columns, strict=True)]
    return sorted(found, key=lambda flow: flow.start_us)


def draw(story: Story) -> str:
    """The picture as SVG: text, bars and dots on a card of its own colour, so that it is read on any background."""
    return "\n".join(_Picture(story).lines()) + "\n"


def summary(story: Story) -> str:
    """The picture in one sentence, for those who do not see it."""
    flows = story.flows
    named = [flow.named == flow.truth for flow in flows if flow.named is not None]
    wrong = sum(flow.event not in (None, flow.truth) for flow in flows)
    return (
        f"{len(flows)} flows with one address in {_minutes(story)} minutes: time ranges name {len(named)} of them, "
        f"{named.count(False) or 'none'} wrongly; an event table names {wrong} wrongly."
    )


class _Picture:
    """Lays a story out, top to bottom."""

    def __init__(self, story: Story) -> None:
        self._story = story
        held = dict.fromkeys(span.workload for span in (*story.tenures, *story.table))
        self._colour = dict(zip(held, _COLOURS, strict=False))

    def lines(self) -> Iterable[str]:
        """The file, line by line."""
        story = self._story
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" role="img" font-family="{_FONTS}">'
        )
        yield f"<title>{escape(summary(story))}</title>"
        yield (
            '<defs><pattern id="late" width="7" height="7" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><rect width="2.5" height="7" fill="#fff" opacity="0.6"/></pattern></defs>'
        )
        yield _rectangle(0.5, 0.5, _WIDTH - 1, _HEIGHT - 1, fill=_PAPER, more=f'stroke="{_GRID}"')
        yield _text(20, 31, f"{story.address} over {_minutes(story)} minutes", size=16, weight=600)
        yield from self._legend(_RIGHT, 31)
        yield from self._axis(52, 398)
        yield _label(64, "who really held it")
        yield from (self._bar(64, span, height=8) for span in story.tenures)
        yield _text(20, 103, "Time ranges", size=14, weight=600)
        yield _label(116, "seen")
        yield from self._heartbeats(112)
        yield _label(150, "ownership ranges")
        yield from (self._named_bar(142, span) for span in story.ranges)
        yield from self._gaps(142)
        yield from self._flows(180, said="named")
        yield _text(20, 266, "Event table", size=14, weight=600)
        note = "A flow is drawn at its start. The table is asked 30 s after its end."
        yield _text(_LEFT, 266, note, size=12, fill=_FAINT)
        yield _label(287, "latest event")
        yield from (self._named_bar(279, span, hatched=True) for span in story.table)
        yield from self._flows(317, said="event")
        yield "</svg>"

    def _x(self, time_us: int) -> float:
        share = (time_us - self._story.begin_us) / (self._story.end_us - self._story.begin_us)
        return round(_LEFT + min(max(share, 0), 1) * (_RIGHT - _LEFT), 1)

    def _legend(self, right: float, y: float) -> Iterable[str]:
        yield _text(right, y, "named wrong", size=12, anchor="end")
        yield _cross(right - 94, y - 4)
        yield _text(right - 114, y, "nobody named", size=12, anchor="end")
        yield _ring(right - 214, y - 4)
        yield _text(right - 234, y, "named right", size=12, anchor="end")
        yield _dot(right - 320, y - 4, _FAINT)
        yield _text(right - 340, y, "had left, is still named", size=12, anchor="end")
        yield _rectangle(right - 503, y - 11, 22, 13, fill=_FAINT)
        yield _rectangle(right - 503, y - 11, 22, 13, fill="url(#late)")

    def _axis(self, top: float, bottom: float) -> Iterable[str]:
        for time_us in range(self._story.begin_us, self._story.end_us + 1, 2 * _MINUTE):
            x = self._x(time_us)
            yield f'<path d="M{x} {top}V{bottom}" stroke="{_GRID}" stroke-dasharray="2 3"/>'
            yield _text(x, bottom + 17, _clock(time_us)[:5], size=12, fill=_FAINT, anchor="middle")

    def _bar(self, y: float, span: Span, *, height: float = 24) -> str:
        left, right = self._x(span.start_us), self._x(span.end_us)
        return _rectangle(left, y, right - left, height, fill=self._colour[span.workload])

    def _named_bar(self, y: float, span: Span, *, hatched: bool = False) -> str:
        """A bar with its workload's name, hatched where that workload was gone or not there yet."""
        left, right, parts = self._x(span.start_us), self._x(span.end_us), [self._bar(y, span)]
        true = [tenure for tenure in self._story.tenures if tenure.workload == span.workload]
        gone = max((self._x(tenure.end_us) for tenure in true), default=left)
        if hatched and gone < right:
            start = max(left, gone)
            parts.append(f'<rect x="{start}" y="{y}" width="{round(right - start, 1)}" height="24" fill="url(#late)"/>')
        middle = (left + min(gone, right)) / 2 if hatched and gone > left else (left + right) / 2
        ink = _INK if self._colour[span.workload] in _LIGHT else _PAPER
        if right - left > 9 * len(span.workload):
            parts.append(_text(middle, y + 16.5, span.workload, fill=ink, anchor="middle", weight=600))
        return "".join(parts)

    def _gaps(self, y: float) -> Iterable[str]:
        for before, after in pairwise(self._story.ranges):
            left, right = self._x(before.end_us), self._x(after.start_us)
            if right - left > 40:
                yield _text((left + right) / 2, y + 16.5, "gap", size=12, fill=_FAINT, anchor="middle")

    def _heartbeats(self, y: float) -> Iterable[str]:
        for workload, colour in self._colour.items():
            path = "".join(f"M{self._x(b.start_us)} {y}v16" for b in self._story.heartbeats if b.workload == workload)
            if path:
                yield f'<path d="{path}" stroke="{colour}" stroke-width="1.5"/>'

    def _flows(self, y: float, *, said: str) -> Iterable[str]:
        """A mark for each flow, beside each other where they would overlap, and what is said of two of them."""
        said_of = [getattr(flow, said) for flow in self._story.flows]
        right = sum(name == flow.truth for name, flow in zip(said_of, self._story.flows, strict=True))
        yield _label(y + 3, "flows")
        yield _text(_LEFT - 14, y + 29, f"{right} right", size=12, fill=_FAINT, anchor="end")
        yield _text(
            _LEFT - 14,
            y + 45,
            f"{len(said_of) - right - said_of.count(None)} wrong",
            size=12,
            fill=_FAINT,
            anchor="end",
        )
        last = [-99.0] * 4
        for flow in self._story.flows:
            x, workload = self._x(flow.start_us), getattr(flow, said)
            level = next((i for i, end in enumerate(last) if x - end >= 10), 0)
            last[level] = x
            at = y + 7 + 11 * level
            if workload is None:
                yield _ring(x, at)
            elif workload == flow.truth:
                yield _dot(x, at, self._colour[workload])
            else:
                yield _cross(x, at)
        # The first is told on its left, so that what is said of the second has room.
        for flow, anchor, aside in zip(_examples(self._story.flows), ("end", "start"), (-5, 5), strict=True):
            x, workload = self._x(flow.start_us), getattr(flow, said)
            why = flow.reason if said == "named" else "right" if workload == flow.truth else "wrong"
            yield f'<path d="M{x} {y + 14}V{y + 48}" stroke="{_INK}"/>'
            yield _text(x + aside, y + 43, _clock(flow.start_us), size=12, weight=600, anchor=anchor)
            yield _text(x + aside, y + 58, f"{workload or 'nobody'} ({why})", size=12, anchor=anchor)


def _examples(flows: Sequence[Drawn]) -> list[Drawn]:
    """Two flows that are told apart by time: one that ranges leave open, and one two minutes later that they name."""
    left_open = next(flow for flow in flows if flow.named is None or flow.reason == "both_ends")
    later = (flow for flow in flows if flow.start_us > left_open.start_us + 2 * _MINUTE)
    return [left_open, next(flow for flow in later if flow.named is not None and flow.event != flow.truth)]


def _minutes(story: Story) -> int:
    return round((story.end_us - story.begin_us) / _MINUTE)


def _time(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * _SECOND)


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / _SECOND, UTC).strftime("%H:%M:%S")


def _rectangle(x: float, y: float, width: float, height: float, *, fill: str, more: str = "") -> str:
    return f'<rect x="{x}" y="{y}" width="{round(width, 1)}" height="{height}" rx="3" fill="{fill}" {more}/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"/>'


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{_PAPER}" stroke="{_INK}" stroke-width="1.5"/>'


def _cross(x: float, y: float) -> str:
    return f'<path d="M{round(x - 4, 1)} {y - 4}l8 8m0 -8l-8 8" stroke="{_WRONG}" stroke-width="2.5"/>'


def _label(y: float, text: str) -> str:
    """Name of a row, left of it."""
    return _text(_LEFT - 14, y + 8.5, text, anchor="end")


def _text(
    x: float, y: float, text: str, *, size: float = 13, fill: str = _INK, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--demo", type=Path, help="folder of a demo that is there; without it, one is made and thrown away"
    )
    parser.add_argument("--address", default=ADDRESS, help="the address")
    parser.add_argument("--begin", default=BEGIN, help="from when")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="for how long")
    parser.add_argument("--out", type=Path, default=PICTURE, help="the file to write")
    given = parser.parse_args()
    begin_us = _time(given.begin)
    with tempfile.TemporaryDirectory() as folder:
        demo = given.demo or Path(folder)
        if not given.demo:
            make_fleet(demo)
        story = read_story(demo, given.address, begin_us, begin_us + given.minutes * _MINUTE)
    given.out.write_text(draw(story), encoding="utf-8")
    print(f"{given.out}: {len(story.flows)} flows, {len(story.ranges)} ranges")


if __name__ == "__main__":
    main()
