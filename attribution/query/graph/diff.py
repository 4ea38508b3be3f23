"""Two windows of one lake compared: edges that are new, gone, or changed."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from attribution.errors import BadValueError
from attribution.query.graph.graph import NodeBy, graph
from attribution.query.graph.model import Edge, Graph, Name
from attribution.query.graph.selection import EVERY_FLOW, GraphSelection
from attribution.query.lake.session import LakeSession, opened
from attribution.query.lake.window import Window

#: The text of a name, and its kind where no evidence names it.
_Identity = tuple[str, str]
#: In order where the edge is directed.
_Ends = tuple[_Identity, _Identity] | frozenset[_Identity]
Change = Literal["new", "gone", "changed"]

#: An edge whose flows or bytes per second are so many times more, or fewer, has changed.
DEFAULT_FACTOR = 2.0


@dataclass(frozen=True, kw_only=True)
class EdgeChange:
    """One edge that differs; `before` is null where it is new, `after` where it is gone.

    The factors compare what there was per second, so that windows of unequal length can be compared. They are null
    where the edge is new or gone, or where no log counts bytes.
    """

    change: Change
    before: Edge | None
    after: Edge | None
    flows_factor: float | None
    bytes_factor: float | None

    @property
    def edge(self) -> Edge:
        """The edge as it is now, or as it was."""
        if self.after is not None:
            return self.after
        if self.before is None:
            raise ValueError("a change without an edge before or after it")
        return self.before

    def to_dict(self) -> dict[str, object]:
        """A flat row."""
        edge, before, after = self.edge, self.before, self.after
        return {
            "change": self.change,
            "source": str(edge.source),
            "target": str(edge.target),
            "source_kind": edge.source.kind,
            "target_kind": edge.target.kind,
            "directed": edge.directed,
            "ports": ", ".join(str(port) for port in edge.ports),
            "flows_before": before.flows if before else 0,
            "flows_after": after.flows if after else 0,
            "flows_factor": _finite(self.flows_factor),
            "bytes_before": before.bytes if before else 0,
            "bytes_after": after.bytes if after else 0,
            "bytes_factor": _finite(self.bytes_factor),
        }


@dataclass(frozen=True, kw_only=True)
class GraphDiff:
    """What differs between two windows: new, gone, then changed, each with the most bytes or largest factor first.

    Attributes:
        before, after: the windows as compared, open ends closed by the first and the last flow of the lake.
        unchanged: how many edges are in both, and below the factor.
    """

    before: Window
    after: Window
    factor: float
    changes: tuple[EdgeChange, ...]
    unchanged: int

    def to_dict(self) -> dict[str, object]:
        """The comparison as plain values, for JSON."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "factor": self.factor,
            "unchanged": self.unchanged,
            "changes": [change.to_dict() for change in self.changes],
        }


def diff(
    lake: LakeSession | Path | str,
    selection: GraphSelection = EVERY_FLOW,
    *,
    before: Window | str,
    factor: float = DEFAULT_FACTOR,
    by: NodeBy = "service",
    attributed_only: bool = False,
) -> GraphDiff:
    """What is new, gone and changed in the graph of a selection against that of an earlier window.

    Args:
        lake: the lake's folder, or an open session.
        selection: the flows of interest, in their window; the whole lake where it has none.
        before: the window to compare with; the other conditions are the same there.
        factor: how many times more or fewer flows or bytes per second make a change; at least 1.
        by: what a node is.
        attributed_only: compare only edges whose ends are both attributed.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: a window cannot be read, or the factor is below 1.
    """
    if not factor >= 1:
        raise BadValueError(
            f"cannot compare by a factor of {factor:g}: it says how many times more or fewer, so at least 1"
        )
    with opened(lake) as session:
        was, now = (
            graph(session, replace(selection, window=_closed(session, window)), by=by, attributed_only=attributed_only)
            for window in (before, selection.window)
        )
    return compare(was, now, factor=factor)


def compare(before: Graph, after: Graph, *, factor: float) -> GraphDiff:
    """The edges of two graphs compared; both windows must be closed, or empty of flows."""
    old, new = _by_ends(before), _by_ends(after)
    longer = _seconds(before.window) / _seconds(after.window)
    changes: list[EdgeChange] = []
    for ends in old.keys() | new.keys():
        was, now = old.get(ends), new.get(ends)
        if was is None or now is None:
            kind: Change = "new" if was is None else "gone"
            changes.append(EdgeChange(change=kind, before=was, after=now, flows_factor=None, bytes_factor=None))
            continue
        flows, size = _ratio(was.flows, now.flows, longer), _ratio(was.bytes, now.bytes, longer)
        if max(_strength(flows), _strength(size)) >= factor:
            changes.append(EdgeChange(change="changed", before=was, after=now, flows_factor=flows, bytes_factor=size))
    return GraphDiff(
        before=before.window,
        after=after.window,
        factor=factor,
        changes=tuple(sorted(changes, key=_order)),
        unchanged=len(old.keys() | new.keys()) - len(changes),
    )


def _closed(session: LakeSession, window: Window | str | None) -> Window:
    asked, extent = session.window(window), session.extent()
    return Window(asked.start or extent.start, asked.end or extent.end)


def _by_ends(graph: Graph) -> dict[_Ends, Edge]:
    return {_ends(edge): edge for edge in graph.edges}


def _ends(edge: Edge) -> _Ends:
    """What makes it the same edge: not whether evidence of a workload or a label named an end in this window."""
    source, target = _identity(edge.source), _identity(edge.target)
    return (source, target) if edge.directed else frozenset((source, target))


def _identity(name: Name) -> _Identity:
    return name.text, "" if name.attributed else name.kind


def _seconds(window: Window) -> float:
    if window.start is None or window.end is None:
        return 1.0
    # An open end that the lake's last flow closed may lie before a start that was asked for: then there are no flows.
    return max((window.end - window.start).total_seconds(), 1e-6)


def _ratio(before: int | None, after: int | None, longer: float) -> float | None:
    """After against before, per second; None where either is unknown or both are nothing, infinite from nothing."""
    if before is None or after is None or (before == 0 and after == 0):
        return None
    return after / before * longer if before else float("inf")


def _strength(factor: float | None) -> float:
    """How many times more or fewer."""
    if factor is None:
        return 1.0
    return max(factor, 1 / factor) if factor else float("inf")


def _finite(factor: float | None) -> float | None:
    """Neither JSON nor a table has a good word for infinitely many times more; the numbers beside it say it."""
    return None if factor is None or math.isinf(factor) else factor


def _order(change: EdgeChange) -> tuple[int, float, str, str, bool]:
    strength = max(_strength(change.flows_factor), _strength(change.bytes_factor))
    size = -strength if change.change == "changed" else -float(change.edge.bytes or 0)
    edge = change.edge
    return ("new", "gone", "changed").index(change.change), size, str(edge.source), str(edge.target), edge.directed
