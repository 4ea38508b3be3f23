"""The time zone in which a person writes and reads times; of machine formats and of the lake it is UTC."""

import difflib
import os
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from attribution.errors import BadValueError

#: Of times that a question reads without a zone, and of times that tables show.
ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)

_LOCAL_FILE = Path("/etc/localtime")


@contextmanager
def in_zone(zone: tzinfo) -> Iterator[None]:
    """Questions that are asked inside read and show times in this zone."""
    token = ZONE.set(zone)
    try:
        yield
    finally:
        ZONE.reset(token)


def find_zone(name: str) -> tzinfo:
    """The zone of an IANA name like `Europe/Berlin`; `UTC`; or `local`, that of this machine.

    Raises:
        BadValueError: there is no such zone, or it is not known which zone is local.
    """
    if name.upper() in ("UTC", "Z"):
        return UTC
    if name.lower() == "local":
        return _local()
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValueError(f"there is no time zone {name!r}; {_near(name)}") from None


def zone_name() -> str:
    """What stands behind a time of the question's zone."""
    zone = ZONE.get()
    return zone.key if isinstance(zone, zoneinfo.ZoneInfo) and zone.key else "UTC" if zone is UTC else str(zone)


def in_question_zone(moment: datetime) -> datetime:
    """A time without a zone as the time that clocks of the question's zone show so.

    Raises:
        BadValueError: the clocks never show it, or show it twice.
    """
    zone = ZONE.get()
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    # In a gap the clock read before the change, and after it, comes back as another time.
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise BadValueError(f"there is no time {moment.isoformat()} in {zone_name()}: clocks are set forward over it")
    choices = " or ".join(one.isoformat() for one in (first, second))
    raise BadValueError(
        f"the time {moment.isoformat()} is twice in {zone_name()}: clocks are set back; write {choices}"
    )


def is_ambiguous(moment: datetime) -> bool:
    """Whether clocks of the zone of a time show it twice."""
    other = moment.replace(fold=1 - moment.fold)
    return moment.utcoffset() != other.utcoffset()


def _local() -> tzinfo:
    name = os.environ.get("TZ", "").removeprefix(":")
    if name:
        return find_zone(name)
    try:
        real = _LOCAL_FILE.resolve()
        key = str(real).partition("zoneinfo/")[2] or "local time"
        with _LOCAL_FILE.open("rb") as file:
            return UTC if key in ("UTC", "Etc/UTC") else zoneinfo.ZoneInfo.from_file(file, key=key)
    except FileNotFoundError:
        return UTC
    except (OSError, ValueError) as error:
        raise BadValueError(f"cannot tell the local time zone by {_LOCAL_FILE}: {error}; name the zone") from None


def _near(name: str) -> str:
    known = zoneinfo.available_timezones()
    if not known:
        return "this machine has no names of zones (install tzdata): take UTC or local"
    by_lower = {one.lower(): one for one in known}
    wanted = name.lower().replace(" ", "_")
    towns = [one for one in sorted(known) if one.lower().rpartition("/")[2] == wanted]
    near = towns or [by_lower[one] for one in difflib.get_close_matches(wanted, sorted(by_lower), n=3)]
    return f"did you mean {' or '.join(near[:3])}?" if near else "write a name like Europe/Berlin, UTC or local"
