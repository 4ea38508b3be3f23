"""The gate for time: which flows are due, how far evidence is forgotten, and which flows came too late for it.

The streaming job and a replay drive it alike. It knows no clock: time is the watermark that it is given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool
from attribution.core.flow_evidence.both_ends import OPEN
from attribution.core.held_flows import Folded, HeldFlows
from attribution.core.times import asked_times

#: Which sides of a flow are attributed.
Sides = Literal["both", "local", "remote"]

#: What the fallback says where an assignment event that is still to come may say something else.
_OPEN_TO_EVENTS = pa.array(["assigned", "assignment_change", "prefix", "unknown", "other_network"])
#: What is said of a side that nobody answers; only the remote side has all of these columns.
_NOBODY = (("workload", None), ("service", None), ("distance", None), ("evidence_network", None), ("method", "none"))
_NAMES = ("local_hostname", "remote_hostname", "hostname_count", "hostname_candidates")


@dataclass(frozen=True)
class Horizon:
    """Which evidence there is when flows are attributed; by default all of it.

    Attributes:
        forgotten_us: evidence about flows that start before this moment may be forgotten.
        events_us: assignment events are known up to this moment; after all time if no flow waits for them.
    """

    forgotten_us: int = NEVER_BEFORE
    events_us: int = NEVER_AFTER


@dataclass(frozen=True)
class Released:
    """What became of flows that were due.

    Attributes:
        attributed: record batches of the flows that go out, attributed; each has rows.
        postponed: record batches of the flows that wait on, for `assignment_hold`; each has rows.
        too_old: how many of the attributed flows came after evidence about their start was forgotten.
        repeated: how many flows do not go out, because they went out before.
    """

    attributed: list[pa.RecordBatch]
    postponed: list[pa.RecordBatch]
    too_old: int = 0
    repeated: int = 0

    @classmethod
    def joined(cls, parts: Iterable["Released"]) -> "Released":
        """All of these as one, in their order."""
        parts = list(parts)
        return cls(
            [batch for part in parts for batch in part.attributed],
            [batch for part in parts for batch in part.postponed],
            sum(part.too_old for part in parts),
            sum(part.repeated for part in parts),
        )

    @property
    def rows(self) -> int:
        """How many flows go out."""
        return sum(batch.num_rows for batch in self.attributed)


class TimeGate:
    """Holds flows until the evidence about them is complete; says which evidence may go, and who came after that.

    A flow is due if the watermark has reached its end plus `hold`. Whoever drives the gate attributes the flows that
    are due, each batch by the evidence of one `Horizon`, and asks `release` what becomes of the answers.

    Args:
        settings: the settings of the rules.
        sides: which sides of a flow are attributed.
        watermark_us: up to when evidence was complete for an earlier gate in whose place this one comes.
        forgotten_us: up to when evidence was forgotten then.

    Attributes:
        held: the flows that wait.
        watermark_us: up to when evidence is complete; it never goes back.
        forgotten_us: evidence about flows that start before this moment may be forgotten; it never goes back.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sides: Sides = "both",
        watermark_us: int = NEVER_BEFORE,
        forgotten_us: int = NEVER_BEFORE,
    ) -> None:
        self._settings = settings
        self._sides = ("local", "remote") if sides == "both" else (sides,)
        self._last_arrived_us = 0
        self.held = HeldFlows(settings.hold, times=partial(asked_times, settings=settings))
        self.watermark_us, self.forgotten_us = watermark_us, forgotten_us

    def hold(self, flows: pa.RecordBatch | Folded, *, arrived_us: int = 0) -> None:
        """Keep flows until they are due.

        Args:
            flows: record batch of `schemas/flow.avsc`, or `Folded` flows.
            arrived_us: a moment of the caller's own clock, for `stale`.
        """
        self._last_arrived_us = max(self._last_arrived_us, arrived_us)
        self.held.add(flows, arrived_us=arrived_us)

    def postpone(self, flows: pa.RecordBatch, *, arrived_us: int | None = None) -> None:
        """Keep flows that were due until `assignment_hold` after their end.

        Args:
            flows: record batch of `schemas/flow.avsc`.
            arrived_us: as of `hold`; by default when the last of all flows came.
        """
        arrived_us = self._last_arrived_us if arrived_us is None else arrived_us
        self.held.add(flows, arrived_us=arrived_us, hold_us=self._settings.assignment_hold)

    def due(self, watermark_us: int) -> list[pa.RecordBatch]:
        """Take evidence up to `watermark_us` as complete; take out the flows that are due."""
        self.watermark_us = max(self.watermark_us, watermark_us)
        return self.held.due(self.watermark_us)

    def stale(self, arrived_before_us: int) -> list[pa.RecordBatch]:
        """Take out, due or not, the flows that arrived before a moment of the caller's clock."""
        return self.held.stale(arrived_before_us)

    def forget(self, oldest_us: int) -> int:
        """Forget what only flows ask for that start before `oldest_us`, if no held flow does.

        Returns:
            The moment from which on evidence about flows is kept: `forgotten_us`.
        """
        self.forgotten_us = max(self.forgotten_us, min(oldest_us, self.held.earliest_start_us))
        return self.forgotten_us

    def release(self, flows: pa.RecordBatch, attributed: pa.RecordBatch, horizon: Horizon) -> Released:
        """What becomes of flows that are due; safe to call from several threads.

        A flow that started before what was forgotten gets no answer, instead of an answer from a part of the evidence.
        A flow that no heartbeat answers waits on, if assignment events about it may still be reported.

        Args:
            flows: the flows as they were held.
            attributed: the same rows, attributed.
            horizon: the evidence by which they were attributed.
        """
        late = asked_times(flows, self._settings)[0] < horizon.forgotten_us
        too_old = int(late.sum())
        if too_old:
            attributed = without_answers(attributed, late, sides=self._sides)
        postponed = []
        waits = self._waits(flows, attributed, horizon)
        if waits is not None:
            postponed = [flows.filter(waits)]
            attributed = attributed.filter(pc.invert(waits))
        return Released([attributed] if attributed.num_rows else [], postponed, too_old)

    def _waits(self, flows: pa.RecordBatch, attributed: pa.RecordBatch, horizon: Horizon) -> pa.Array | None:
        """Which flows wait on for assignment events, an Arrow mask; None if no flow does."""
        if self._settings.assignment_hold <= self._settings.hold:
            return None
        early = asked_times(flows, self._settings)[1] > horizon.events_us - self._settings.assignment_hold
        if not early.any():
            return None
        reasons = [decoded(attributed.column(f"{side}_reason")) for side in self._sides]
        open_to_events = reduce(pc.or_, [pc.is_in(reason, value_set=_OPEN_TO_EVENTS) for reason in reasons])
        waits = pc.and_(pa.array(early), open_to_events)
        return waits if pc.any(waits, min_count=0).as_py() else None


def without_answers(attributed: pa.RecordBatch, rows: Bool, *, sides: Iterable[str]) -> pa.RecordBatch:
    """The attributed batch with the masked rows unattributed for the reason `too_old`, but for what was captured."""
    columns = dict(zip(attributed.schema.names, attributed.columns, strict=True))
    for side in sides:
        asked = pc.and_(pa.array(rows), pc.not_equal(decoded(columns[f"{side}_method"]), "capture"))
        for name, value in _NOBODY:
            if f"{side}_{name}" not in columns:
                continue
            column = decoded(columns[f"{side}_{name}"])
            columns[f"{side}_{name}"] = pc.if_else(asked, pa.scalar(value, column.type), column)
        if side == "remote" and OPEN in columns:
            columns[OPEN] = pc.if_else(asked, None, decoded(columns[OPEN]))
        reason = decoded(columns[f"{side}_reason"])
        columns[f"{side}_reason"] = pc.if_else(asked, "too_old", reason)
    if "hostname_reason" in columns:
        columns |= _without_names(columns, pa.array(rows))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _without_names(columns: dict[str, pa.Array], rows: pa.Array) -> dict[str, pa.Array]:
    """The columns of a name, without it where it may rest on a part of what the client was told."""
    reason = decoded(columns["hostname_reason"])
    lost = pc.fill_null(pc.and_(rows, pc.not_equal(reason, "recorded")), False)
    names = [name for name in _NAMES if name in columns]
    nothing = {name: pc.if_else(lost, None, decoded(columns[name])) for name in names}
    return nothing | {"hostname_reason": pc.if_else(lost, "too_old", reason)}
