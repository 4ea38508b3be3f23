"""The pieces of all keys in order of time: from each piece back to the key's past, and forward to who comes next."""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.arrays import (
    NEVER_AFTER,
    NEVER_BEFORE,
    NONE,
    next_start,
    order_by,
    running_max,
    starts_of_runs,
)
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.ownership.ranges import RangeTables


@dataclass(frozen=True)
class OrderedPieces:
    """The pieces, ordered by key and start. Methods take how many pieces, over all keys in order, are `known` already.

    `piece`, `start`, `latest_end` and `other_at` have one entry more than there are pieces, which stands for no piece.

    Attributes:
        offset: first piece of each group, shifted by one as in `Segments`.
        piece: number of the piece in `RangeTables.pieces`.
        start: start of the piece, µs.
        end: end of the piece, µs.
        latest_end: largest end of the key's pieces up to this piece, µs.
        other_at: start of the key's next piece that belongs to another workload, µs.
    """

    offset: Int64
    piece: Int64
    start: Int64
    end: Int64
    latest_end: Int64
    other_at: Int64

    def next_start(self, group: Int32, known: Int64) -> Int64:
        """Start of the key's first piece after the `known` pieces; after all time where there is none."""
        return np.where(known < self.offset[group + 2], self.start[known], NEVER_AFTER)

    def last_end(self, group: Int32, known: Int64) -> Int64:
        """Latest end of the key's pieces among the `known` pieces; before all time where there is none."""
        return np.where(known > self.offset[group + 1], self.latest_end[known - 1], NEVER_BEFORE)

    def only_newcomer(self, group: Int32, known: Int64, until: Int64) -> tuple[Int64, Bool]:
        """The key's first piece after the `known` pieces, and whether its workload alone appears up to `until`."""
        alone = self.next_start(group, known) <= until
        alone &= self.other_at[known] > until
        return self.piece[known], alone

    def end_of_last(self, known: Int64) -> Int64:
        """End of the last of the `known` pieces; the caller knows that the key has one."""
        return self.end[known - 1]


def order_pieces(tables: RangeTables) -> OrderedPieces:
    """The pieces of all keys in order of key and time."""
    pieces = tables.pieces
    order = order_by(pieces.group, pieces.start)
    group, start, workload = pieces.group[order], pieces.start[order], pieces.workload[order]
    following = next_start(starts_of_runs(group, workload), len(order))
    same_key = np.append(group, NONE)[following] == group
    return OrderedPieces(
        offset=np.searchsorted(group + 1, np.arange(tables.keys.groups + 2)),
        piece=np.append(order, NONE),
        start=np.append(start, NEVER_AFTER),
        end=pieces.end[order],
        latest_end=np.append(running_max(pieces.end[order], group), NEVER_BEFORE),
        other_at=np.append(np.where(same_key, np.append(start, NEVER_AFTER)[following], NEVER_AFTER), NEVER_BEFORE),
    )
