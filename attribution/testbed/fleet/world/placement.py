"""Who gets which address: a first-come allocator with reuse, from pauses of minutes down to none."""

import heapq
from collections import deque
from collections.abc import Iterable

import numpy as np

from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario


class Pool:
    """Addresses (or ports of node addresses) that are given to one workload at a time.

    Args:
        fresh: keys that nobody has had yet, the first to be given out first.
        grow_from: the first key number to make where none is free; later ones count up. None: there are no more, and
            a workload that finds none does not start.
        scenario: pauses and shares of reuse.

    The loop is per tenure, not per flow: a million tenures take a few seconds.
    """

    def __init__(self, fresh: Iterable[int], *, grow_from: int | None, scenario: Scenario) -> None:
        self._free = deque(fresh)
        self._next = grow_from
        self._scenario = scenario
        self._busy: list[tuple[int, int]] = []
        self._ready: dict[int, int] = {}
        self._left: dict[int, dict[int, int]] = {}

    def place(
        self, starts: Int64, ends: Int64, workloads: Int64, moves: Bool, *, rng: np.random.Generator
    ) -> tuple[Int64, Int64]:
        """Key and start of each tenure; key -1 where none was free.

        Args:
            starts: planned starts; a start may become earlier, down to the microsecond in which its key became free.
            ends: ends, never changed.
            workloads: who, as numbers.
            moves: whether the tenure or one before it is of a workload that changes its address while it runs.
            rng: consumed in the same way whatever is chosen.
        """
        keys = np.full(len(starts), -1, dtype=np.int64)
        begun = starts.copy()
        hot = rng.random(len(starts)) < self._scenario.reuse_hot
        exact = rng.random(len(starts)) < self._scenario.handover_share
        back = rng.random(len(starts)) < self._scenario.return_share
        for i in np.argsort(starts, kind="stable").tolist():
            start, workload = int(starts[i]), int(workloads[i])
            self._release(start)
            key = self._return(workload, start) if moves[i] and back[i] else None
            if key is None:
                key = self._take(workload, start, hot=bool(hot[i]))
            if key is None:
                continue
            if exact[i] and not moves[i]:
                free = self._ready.get(key, 0)
                begun[i] = free if start - free <= self._scenario.handover_reach else start
            keys[i] = key
            end = int(ends[i])
            heapq.heappush(self._busy, (end + self._scenario.reuse_pause, key))
            if moves[i]:
                self._left.setdefault(workload, {})[key] = end
        return keys, begun

    def _release(self, now: int) -> None:
        while self._busy and self._busy[0][0] <= now:
            ready, key = heapq.heappop(self._busy)
            self._ready[key] = ready
            self._free.append(key)

    def _return(self, workload: int, now: int) -> int | None:
        """A free key that the workload left long enough ago, taken out of the free ones."""
        for key, left in self._left.get(workload, {}).items():
            if left + self._scenario.return_pause <= now and key in self._free:
                self._free.remove(key)
                return key
        return None

    def _take(self, workload: int, now: int, *, hot: bool) -> int | None:
        """The key freed last (hot) or first, except those that the workload has left just now."""
        left = self._left.get(workload, {})
        aside = []
        found = None
        while self._free and found is None:
            key = self._free.pop() if hot else self._free.popleft()
            if key in left and left[key] + self._scenario.return_pause > now:
                aside.append(key)
            else:
                found = key
        for key in reversed(aside):
            if hot:
                self._free.append(key)
            else:
                self._free.appendleft(key)
        if found is None and self._next is not None:
            found, self._next = self._next, self._next + 1
        return found
