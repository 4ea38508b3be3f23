"""What the addresses of a search carried, and what of it may be anything but the attack."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from attribution.config import SECOND
from attribution.errors import BadValueError, QueryError
from attribution.query.attack.kary_search import Reading, read
from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.lake.flows import Measure
from attribution.query.lake.query import Query
from attribution.query.lake.selection import Selection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import to_microseconds
from attribution.query.lake.window import Window

_LOADS = Query(__package__, "loads", standing_on=(COUNTED,))

#: By how much of itself the background may be more than it was measured to be, and which part of the attack is none.
_DRIFT, _TRACE = 0.25, 0.05
#: How many standard deviations of a count are chance.
_CHANCE = 3.0


@dataclass(frozen=True)
class LoadSample:
    """What addresses carried in a window.

    Attributes:
        rates: by address, a second, those that carried anything.
        flows: flows a second, of all of them.
    """

    window: Window
    rates: Mapping[str, float]
    flows: float

    @property
    def rate(self) -> float:
        """What all of them carried together, a second."""
        return sum(self.rates.values())


@dataclass(frozen=True)
class Background:
    """What all traffic but the attack makes on all addresses together, a second.

    Attributes:
        rate: the most that it makes.
        flows: the same in flows; None where only the rate is known.
        size: what the attack made.
    """

    rate: float
    flows: float | None
    size: float

    def read(self, sample: LoadSample) -> Reading:
        """Which addresses carry the attack, allowing for chance and for a background that is not quite as measured."""
        expected = (self.flows or 0.0) * _seconds(sample.window)
        chance = _CHANCE / math.sqrt(expected) if expected > 1 else _CHANCE if self.flows is not None else 0.0
        slack = max(self.rate * max(_DRIFT, chance), self.size * _TRACE)
        return read(sample.rates, background=self.rate, slack=slack)


class LoadMeter:
    """Measures what the addresses of a search carried, by the flows of a lake."""

    def __init__(self, session: LakeSession, addresses: Sequence[str], measure: Measure, selection: Selection) -> None:
        """Measure by one measure, of the flows of a selection, whatever its window.

        Raises:
            QueryError: there is no such measure.
        """
        if measure not in get_args(Measure):
            raise BadValueError(f"cannot measure an attack by {measure!r}: choose {', '.join(get_args(Measure))}")
        self._session, self._addresses = session, list(addresses)
        self._measure, self._selection = measure, selection

    def sample(self, window: Window) -> LoadSample:
        """What each address carried in a closed window.

        Raises:
            QueryError: the window has an open end.
            LakeError: the lake cannot be read.
        """
        asked = {**self._selection.parameters(window), "addresses": self._addresses, "order": self._measure}
        seconds = _seconds(window)
        count_once(self._session, window)
        rows = self._session.ask(_LOADS, **asked)
        rates = {row["address"]: row["load"] / seconds for row in rows}
        return LoadSample(window, rates, sum(row["flows"] for row in rows) / seconds)

    def background(self, before: LoadSample, *, rate: float | None, quiet: Window | None) -> Background:
        """The background: what is known of it, what it was in a window without attack, or half of what was before.

        Raises:
            QueryError: both are given, or the window has an open end.
        """
        if rate is not None and quiet is not None:
            raise BadValueError("cannot take the background from two places: give --background or --quiet")
        if rate is not None:
            return Background(rate, rate if self._measure == "flows" else None, max(before.rate - rate, 0.0))
        if quiet is not None:
            calm = self.sample(quiet)
            return Background(calm.rate, calm.flows, max(before.rate - calm.rate, 0.0))
        return Background(before.rate / 2, before.flows / 2, before.rate / 2)


def _seconds(window: Window) -> float:
    if window.start is None or window.end is None:
        raise QueryError(f"cannot tell how much there was a second in {window}: give both ends of the window")
    return (to_microseconds(window.end) - to_microseconds(window.start)) / SECOND
