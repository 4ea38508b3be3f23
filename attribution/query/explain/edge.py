"""Why an edge is in the graph: how its flows were answered for, examples, and who else held the addresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attribution.core.reasons import REASONS
from attribution.errors import QueryError
from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.explain.flow_selector import flow_key
from attribution.query.lake.names import is_known, unknown
from attribution.query.lake.query import Query
from attribution.query.lake.selection import EVERY_FLOW, Selection
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import seen
from attribution.query.lake.window import Window

_FLOWS = Query(__package__, "edge_flows", standing_on=(COUNTED,))
# These read the table edge_flow.
_BREAKDOWN = Query(__package__, "edge_breakdown")
_EXAMPLES = Query(__package__, "edge_examples")
_ALTERNATIVES = Query(__package__, "edge_alternatives")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One flow of the edge; `flow` is what `flow_selector.parse_flow` takes, distances are in microseconds."""

    flow: str
    source_workload: str | None
    target_workload: str | None
    source_distance: int | None
    target_distance: int | None


@dataclass(frozen=True, kw_only=True)
class EdgePart:
    """Those flow records of the edge whose ends were answered for in one way.

    Attributes:
        records: all of them.
        flows, bytes: those that count: another report of the same traffic does otherwise.
        source_distance, target_distance: the oldest evidence used, in microseconds from the flow's start.
        examples: a few of the flows, those with the oldest evidence first.
    """

    source_method: str
    source_reason: str
    target_method: str
    target_reason: str
    records: int
    flows: int
    bytes: int | None
    source_distance: int | None
    target_distance: int | None
    first_seen: datetime
    last_seen: datetime
    examples: tuple[Example, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, with the sentences of both reasons."""
        rules = {"source_rule": REASONS[self.source_reason], "target_rule": REASONS[self.target_reason]}
        made = {**vars(self), **rules, "examples": [vars(example) for example in self.examples]}
        # Whoever reads columns by their place finds the older ones where they were.
        return {**{name: value for name, value in made.items() if name != "records"}, "records": self.records}


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A workload that is not this edge's and held one of its addresses within a day of a flow.

    Attributes:
        side: `source` or `target`.
        away: microseconds between its range and the nearest flow; 0 where the flow lies in it.
        near_flows: flows within `max_gap` of it.
        network: the network in which it held the address; None if none is known.
    """

    side: str
    address: str
    workload: str
    service: str | None
    away: int
    near_flows: int
    network: str | None = None


@dataclass(frozen=True, kw_only=True)
class EdgeExplanation:
    """An edge taken apart; `alternative_count` is how many alternatives there are without the limit."""

    source: str
    target: str
    window: Window
    parts: tuple[EdgePart, ...]
    alternatives: tuple[Alternative, ...]
    alternative_count: int

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return {
            "source": self.source,
            "target": self.target,
            "window": self.window.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
            "alternatives": [vars(alternative) for alternative in self.alternatives],
            "alternative_count": self.alternative_count,
        }


def explain_edge(
    lake: LakeSession | Path | str,
    source: str,
    target: str,
    selection: Selection = EVERY_FLOW,
    *,
    examples: int = 3,
    limit: int = 20,
) -> EdgeExplanation:
    """How the flows from `source` to `target` were answered for, and who else held their addresses.

    Args:
        lake: the lake's folder, or an open session.
        source: the client, as the graph calls it: by service, by workload, or `(unattributed: REASON)`.
        target: the server, likewise; undirected flows between the two count as well.
        selection: of which flows.
        examples: flows to show of each way of answering.
        limit: alternatives to show, the nearest first.

    Every flow record stands in a part, also where several observers reported the same traffic: each was answered for by
    itself. How many of them count stands beside it.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the window cannot be read, or there is no such flow.
    """
    with opened(lake) as session:
        window = session.window(selection.window)
        asked = selection.parameters(window)
        count_once(session, window)
        session.keep("edge_flow", _FLOWS, **asked, source=source, target=target)
        rows = session.ask(_BREAKDOWN)
        if not rows:
            session.keep("edge_flow", _FLOWS, **asked, source=target, target=source)
            reverse = bool(session.ask(_BREAKDOWN))
            raise QueryError(
                f"no flows from {source!r} to {target!r} in this window that pass the filters; "
                f"{_why_none(session, source, target, reverse=reverse)}"
            )
        shown = session.ask(_EXAMPLES, examples=examples)
        others = session.ask(_ALTERNATIVES, max_gap=session.settings.max_gap, limit=limit)
    return EdgeExplanation(
        source=source,
        target=target,
        window=window,
        parts=tuple(_part(row, shown) for row in rows),
        alternatives=tuple(_alternative(row) for row in others),
        alternative_count=others[0]["total"] if others else 0,
    )


def _why_none(session: LakeSession, source: str, target: str, *, reverse: bool) -> str:
    if reverse:
        return f"there are from {target!r} to {source!r}: turn the edge round"
    for name in (source, target):
        if not name.startswith("(") and not is_known(session, "end", name):
            return f"{unknown(session, 'end', name)} `attribution graph` lists the edges"
    return "`attribution graph` lists the edges; names are as they stand there"


def _part(row: Row, examples: Sequence[Row]) -> EdgePart:
    kind = (row["source_reason"], row["target_reason"])
    return EdgePart(
        **{**row, **seen(row)},
        examples=tuple(
            Example(
                flow=flow_key(one),
                **{name: one[name] for name in Example.__dataclass_fields__ if name != "flow"},
            )
            for one in examples
            if (one["source_reason"], one["target_reason"]) == kind
        ),
    )


def _alternative(row: Row) -> Alternative:
    return Alternative(**{name: row[name] for name in Alternative.__dataclass_fields__})
