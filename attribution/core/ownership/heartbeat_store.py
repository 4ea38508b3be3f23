"""Heartbeats as they come: numbered once, merged as their number grows, and found again by address.

They lie in runs, each ordered by address. The first run holds what was merged. Each time that something is asked, what
came since becomes another run. To ask for a few addresses costs what is known about these, however much is known about
others.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.places import has_networks, split_places
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, find, numbers_between, order_by, recode
from attribution.core.columnar.types import Int32, Records
from attribution.core.ownership.claims import open_claims, with_counting_claims
from attribution.core.ownership.compaction import compact, still_asked
from attribution.core.ownership.heartbeats import COLUMNS, TEXTS, Heartbeats
from attribution.schema import HEARTBEAT, arrow_schema, completed

#: Fewer heartbeats than this are not worth merging.
_MERGE_FROM = 1024
#: Runs that are searched one by one.
_RUNS = 8


class HeartbeatStore:
    """A set of heartbeats that grows and forgets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._texts: dict[str, pa.StringArray] = {name: pa.array([], pa.string()) for name in TEXTS}
        self._runs: list[Heartbeats] = []
        self._new: list[Records] = []
        self._merged = 0
        # The first start of claims of which it is not settled whether they count; after all time where there are none.
        self._open_from_us = NEVER_AFTER
        #: Rows held.
        self.rows = 0

    @property
    def grown(self) -> bool:
        """Whether the number of heartbeats has doubled since they were merged: so the cost of each stays constant."""
        return self.rows > 2 * self._merged + _MERGE_FROM

    def add(self, heartbeats: Records) -> None:
        """Add rows of `schemas/heartbeat.avsc`."""
        self._new.append(heartbeats)
        self.rows += heartbeats.num_rows

    def all(self) -> Heartbeats:
        """All heartbeats, in any order."""
        if not self._runs and len(self._new) == 1:
            return Heartbeats.of(self._new[0])
        self._number()
        return self._joined(self._runs)

    def for_addresses(self, addresses: pa.StringArray, *, oldest: int) -> Heartbeats:
        """The heartbeats that decide about flows with these addresses.

        Args:
            addresses: distinct addresses, whatever their networks.
            oldest: start of the earliest of these flows, µs.
        """
        self._number()
        asked = self._places(addresses)
        found = self._joined([self._of_addresses(run, asked, oldest) for run in self._runs])
        if len(found) and self._open_from_us < NEVER_AFTER:
            found = with_counting_claims(found, self._settings, forgotten_us=None)
        place = np.searchsorted(asked, found.address).astype(np.int32)
        return replace(found, address=place, addresses=self._texts["address"].take(pa.array(asked)))

    def _places(self, addresses: pa.StringArray) -> Int32:
        """The numbers, in order, of the places that these addresses have in any network."""
        known = self._texts["address"]
        if not has_networks(known):
            found = find(addresses, known)
            return np.sort(found[found >= 0])
        mine = pc.is_in(split_places(known)[0], value_set=addresses)
        return np.flatnonzero(mine.to_numpy(zero_copy_only=False)).astype(np.int32)

    def merge(self, oldest: int, *, complete_to: int = NEVER_BEFORE) -> None:
        """Merge heartbeats that say the same; forget what no flow can ask for.

        Args:
            oldest: start of the earliest flow that is still to come, µs.
            complete_to: the moment (µs) up to which all evidence is known. Claims that start before, and do not count,
                are forgotten.
        """
        known = with_counting_claims(self.all(), self._settings, forgotten_us=complete_to)
        # The texts of what was forgotten go, too.
        merged = compact(known, self._settings, oldest=oldest).without_unused_text()
        self._texts = {name: getattr(merged, plural) for name, plural in TEXTS.items()}
        self._runs = [merged] if len(merged) else []
        self._new = []
        self._merged = self.rows = len(merged)
        self._open_from_us = _first_start(merged)

    def _of_addresses(self, run: Heartbeats, asked: Int32, oldest: int) -> Heartbeats:
        begin, end = (np.searchsorted(run.address, asked, side=side) for side in ("left", "right"))
        rows = numbers_between(begin, end)[1]
        kept = still_asked(run.address[rows], run.socket[rows], run.end[rows], self._settings, oldest=oldest)
        if self._open_from_us < NEVER_AFTER:
            # What decides whether open claims count.
            near = run.end[rows] >= self._open_from_us - self._settings.max_gap
            kept = np.union1d(kept, np.flatnonzero(near))
        return run.take(rows[kept])

    def _number(self) -> None:
        """Make a run of what came since the last time."""
        if not self._new:
            return
        new = Heartbeats.of(_one_table(self._new))
        codes: dict[str, Any] = {}
        for name, plural in TEXTS.items():
            place, self._texts[name] = _places(getattr(new, plural), self._texts[name])
            codes[name] = recode(getattr(new, name), place)
        new = replace(new, **codes)
        self._open_from_us = min(self._open_from_us, _first_start(new))
        self._runs.append(new.take(order_by(new.address, new.start)))
        self._new = []
        if len(self._runs) > _RUNS:
            # The first run is the merged one, and large; the others are joined with each other.
            later = self._joined(self._runs[1:])
            self._runs[1:] = [later.take(order_by(later.address, later.start))]

    def _joined(self, runs: list[Heartbeats]) -> Heartbeats:
        """The heartbeats of runs, which all have the numbers of this store."""
        if not runs:
            runs = [Heartbeats.of(arrow_schema(HEARTBEAT).empty_table())]
        columns: dict[str, Any] = {name: np.concatenate([getattr(run, name) for run in runs]) for name in COLUMNS}
        return Heartbeats(**columns, **{plural: self._texts[name] for name, plural in TEXTS.items()})


def _first_start(heartbeats: Heartbeats) -> int:
    """The first start (µs) of open claims; after all time where there are none."""
    return int(heartbeats.start[open_claims(heartbeats.socket)].min(initial=NEVER_AFTER))


def _one_table(parts: list[Records]) -> pa.Table:
    """One table of all parts. Most parts are small batches that have the record's own types already."""
    schema = arrow_schema(HEARTBEAT)
    fitting = [part for part in parts if isinstance(part, pa.RecordBatch) and part.schema.equals(schema)]
    others = [part for part in parts if not (isinstance(part, pa.RecordBatch) and part.schema.equals(schema))]
    tables = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in others]
    cast = [completed(HEARTBEAT, table).select(schema.names).cast(schema) for table in tables]
    return pa.concat_tables([pa.Table.from_batches(fitting, schema), *cast])


def _places(texts: pa.StringArray, known: pa.StringArray) -> tuple[Int32, pa.StringArray]:
    """The place of each distinct text among the known texts, and these with the new texts behind them."""
    place = find(texts, known).copy()
    new = np.flatnonzero(place < 0)
    place[new] = np.arange(len(known), len(known) + len(new))
    return place, pa.concat_arrays([known, texts.take(pa.array(new))]) if len(new) else known
