"""Which reports of a window count: traffic that several observers report is counted once.

The rule stands in the design, under "Which report counts". Most conversations are reported by one observer, in windows
that do not overlap. One pass over all pairs of addresses says whether there may be others. If so, a second pass finds
them, by a hash of both ends. Only these are compared in time, rank by rank, by joins over sorted times, so that a long
conversation costs no more than its reports.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from attribution.config import NO_NETWORK, Settings
from attribution.query.counting.spaces import joined_pairs, joined_spaces
from attribution.query.lake.flows import FILTERED, WINDOWED
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import from_microseconds
from attribution.query.lake.window import Window

_NEAR = Query(__package__, "near")
_REPORTS = Query(__package__, "reports", standing_on=(_NEAR,))
_LAST_END = Query(__package__, "last_end", standing_on=(WINDOWED,))
_RELAYS = Query(__package__, "relays", standing_on=(_REPORTS,))
_PASSED_ON = Query(__package__, "passed_on", standing_on=(_REPORTS,))
_DOUBTS = Query(__package__, "doubts", standing_on=(_NEAR,))
_NONE = Query(__package__, "none")
#: The tables that find the reports to compare in time, in the order in which they stand on one another.
_FOUND = {
    "suspects": Query(__package__, "suspects", standing_on=(_REPORTS,)),
    "observers": Query(__package__, "observers", standing_on=(_NEAR,)),
    "ways": Query(__package__, "ways", standing_on=(_REPORTS,)),
    "samplers": Query(__package__, "samplers"),
    "ranked": Query(__package__, "ranked"),
}
# These read the tables that `_compare` makes of one another.
_NESTED = Query(__package__, "nested")
_PASSED_WAYS = Query(__package__, "passed_ways")
_PENDING = Query(__package__, "pending")
_LEVELS = Query(__package__, "levels")
_LEVEL = Query(__package__, "level")
_SHARED = Query(__package__, "shared")
_STOOD_FOR = Query(__package__, "stood_for")
_UNSHARED = Query(__package__, "unshared")
_UNCOUNTED = Query(__package__, "uncounted")

#: The flows that pass the filters, with the columns counts_sent, counts_received and counts. Reads the table uncounted.
COUNTED = Query(__package__, "counted", standing_on=(FILTERED,))


def count_once(session: LakeSession, window: Window) -> None:
    """Make the table uncounted in the session: the reports of a window that do not count, as `COUNTED` reads it.

    The reports that overlap those of the window are read, too: what began up to `connection_lifetime` before, and what
    begins until the last report of the window ends. So it is the same for a report in whatever window it is asked for.

    Args:
        session: the lake.
        window: as it is on the lake; sums over windows that share no time add up.

    Raises:
        LakeError: the lake cannot be read.
    """
    settings = session.settings
    near = _near(session, window)
    asked = {**near, **_spaces(settings)}
    # What was passed on is known by the hour of its end, which may come after all that is near.
    longest = timedelta(microseconds=settings.connection_lifetime)
    session.keep("relays", _RELAYS, **asked | _until(_moved(near["near_to"], longest)))
    session.keep("passed_on", _PASSED_ON, **asked)
    session.keep("left_out", _NONE)
    (row,) = session.ask(_DOUBTS, **asked)
    if row["doubts"]:
        _compare(session, asked)
    session.keep("uncounted", _UNCOUNTED)


def _compare(session: LakeSession, asked: Mapping[str, object]) -> None:
    """Add to the table left_out the reports that do not count, of the conversations that may be reported twice."""
    for table, query in _FOUND.items():
        session.keep(table, query, **asked)
    session.add("left_out", _NESTED)
    session.add("left_out", _PASSED_WAYS)
    session.keep("pending", _PENDING, clock_tolerance=session.settings.clock_tolerance)
    (levels,) = session.ask(_LEVELS)
    for level in range(levels["first_level"] or 0, levels["last_level"] or 0):
        session.keep("one_level", _LEVEL, level=level)
        session.keep("shared", _SHARED, level=level, joined=joined_pairs(session.settings.network_routes))
        session.add("left_out", _STOOD_FOR)
        session.keep("pending", _UNSHARED)


def _near(session: LakeSession, window: Window) -> dict[str, Any]:
    """The bounds of what may overlap a report of the window, as `sql/near.sql` binds them; None where it is open."""
    tolerance = timedelta(microseconds=session.settings.clock_tolerance)
    first = last = oldest = None
    if window.start is not None:
        # Samples, and what a translator passed on, are compared by the clock hour.
        first = _moved(_hour(_moved(window.start, -tolerance) or window.start), -tolerance)
        oldest = _moved(first, -timedelta(microseconds=session.settings.connection_lifetime))
    if window.end is not None:
        (row,) = session.ask(_LAST_END, **window.parameters())
        last_end = window.end if row["last_end"] is None else from_microseconds(row["last_end"])
        last = _moved(_hour(_moved(last_end, tolerance) or last_end), timedelta(hours=1))
    return {"near_from": first, "near_from_hour": oldest and _partition(oldest), **_until(last)}


def _until(last: datetime | None) -> dict[str, object]:
    """The bounds of what begins before a time."""
    return {"near_to": last, "near_to_hour": last and _partition(last - timedelta(microseconds=1))}


def _spaces(settings: Settings) -> dict[str, object]:
    """The networks that are one address space, as `sql/reports.sql` binds them: None where all are."""
    if settings.one_space:
        return {"networks": None, "spaces": None}
    spaces = joined_spaces(settings.network_routes)
    return {"networks": list(spaces), "spaces": [None if name == NO_NETWORK else name for name in spaces.values()]}


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    """The time so much later; None where no year has it."""
    try:
        return None if moment is None else moment + by
    except OverflowError:
        return None


def _partition(moment: datetime) -> str:
    """The partition of a time: `2026-01-05T12`."""
    return moment.astimezone(UTC).isoformat()[:13]
