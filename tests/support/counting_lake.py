"""Reports as small rows, and which of them a lake's questions count."""

from datetime import timedelta

from tiny_lake import at, flow, write_lake

from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.lake.selection import EVERY_FLOW
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import OPEN


def report(start, seconds, local, remote, **fields):
    """One report from a time or `12:00:10` on, between two ends `address:port`; a window unless fields say other."""
    start = at(start) if isinstance(start, str) else start
    return flow(
        start,
        local,
        remote,
        **{"end": start + timedelta(seconds=seconds), "basis": "window", "direction": None} | fields,
    )


def counted(session, window=OPEN):
    """data_centre -> the ways for which a report counts."""
    count_once(session, window)
    asked = EVERY_FLOW.parameters(window)
    rows = session._connection.execute(
        f"SELECT data_centre, counts_sent, counts_received FROM ({COUNTED.sql})",
        {name: asked[name] for name in COUNTED.parameters},
    ).fetchall()
    return {
        name: {way for way, counts in (("sent", sent), ("received", received)) if counts}
        for name, sent, received in rows
    }


def counted_in(folder, reports, settings=None):
    """As `counted`, for a lake of these reports; data_centre becomes their place in the list."""
    rows = [one | {"data_centre": str(number)} for number, one in enumerate(reports)]
    with LakeSession(write_lake(folder, flows=rows, settings=settings)) as session:
        found = counted(session)
    return [found[str(number)] for number in range(len(reports))]
