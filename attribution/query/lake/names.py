"""Names that a question asks for and the lake does not have: what is said of them, and which names are near."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from attribution.errors import QueryError
from attribution.query.lake.flows import WINDOWED
from attribution.query.lake.query import Query
from attribution.query.lake.selection import Selection, globs
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_time, from_microseconds
from attribution.query.lake.window import OPEN, Window

#: What has names. An `end` is what the graph calls one: service, workload, hostname or pool.
NameKind = Literal[
    "service", "end", "region", "data centre", "pool", "network", "address", "local address", "remote address"
]

#: Field of a selection -> what its globs name.
FILTERS: Mapping[str, NameKind] = MappingProxyType(
    {"services": "service", "regions": "region", "data_centres": "data centre", "pools": "pool"}
)

_NAMED = Query(__package__, "named", standing_on=(WINDOWED,))
_MATCHING = Query(__package__, "matching", standing_on=(_NAMED,))
_NEAREST = Query(__package__, "nearest", standing_on=(_NAMED,))
_HOLDERS = Query(__package__, "holders")
_SERVICE_OF = Query(__package__, "service_of")

#: Names that are suggested.
_SUGGESTED = 3
#: So few names are listed all, if none is near.
_FEW = 8


@dataclass(frozen=True)
class Elsewhen:
    """A name that the lake has, but outside of the window that was asked about; times are of flow starts."""

    kind: NameKind
    name: str
    window: Window
    first_seen: datetime
    last_seen: datetime

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.name!r} has no flow in the window {self.window}: its flows start from "
            f"{format_time(self.first_seen)} to {format_time(self.last_seen)}"
        )


def unknown_filters(session: LakeSession, selection: Selection, *, empty: bool) -> tuple[Elsewhen, ...]:
    """The names that a selection filters by and that have no flow in its window, but elsewhere in the lake.

    Args:
        session: the lake.
        selection: what was asked.
        empty: whether nothing was found. If something was, a filter with one name has that name, and nothing is read.

    Raises:
        QueryError: a name is nowhere in the lake; the message says which names are near.
        LakeError: the lake cannot be read.
    """
    window = session.window(selection.window)
    given = {field: getattr(selection, field, ()) for field in FILTERS}
    asked = [(FILTERS[field], name) for field, names in given.items() if empty or len(names) > 1 for name in names]
    return tuple(found for kind, name in asked if (found := missing(session, kind, name, window)))


def missing(session: LakeSession, kind: NameKind, name: str, window: Window = OPEN) -> Elsewhen | None:
    """What to say of a name, with `*` and `?`, that has no flow in a window; None if the name has one.

    Raises:
        QueryError: the name is nowhere in the lake.
        LakeError: the lake cannot be read.
    """
    for where in dict.fromkeys((window, OPEN)):
        (row,) = session.ask(_MATCHING, kind=kind, pattern=globs((name,)), **where.parameters())
        first, last = row["first_seen"], row["last_seen"]
        if row["known"] and (where == window or first is None):
            return None
        if row["known"]:
            return Elsewhen(kind, name, window, from_microseconds(first), from_microseconds(last))
    raise QueryError(f"cannot answer for {session.folder}: {unknown(session, kind, name, window)}")


def is_known(session: LakeSession, kind: NameKind, name: str) -> bool:
    """Whether the lake has a name, with `*` and `?`.

    Raises:
        LakeError: the lake cannot be read.
    """
    (row,) = session.ask(_MATCHING, kind=kind, pattern=globs((name,)), **OPEN.parameters())
    return bool(row["known"])


def unknown(session: LakeSession, kind: NameKind, name: str, window: Window = OPEN) -> str:
    """That the lake does not have a name, and which names are near.

    Raises:
        LakeError: the lake cannot be read.
    """
    does = "matches" if set(name) & set("*?") else "is"
    return f"no {kind} of the lake {does} {name!r}; {near(session, kind, name, window)}"


def near(session: LakeSession, kind: NameKind, name: str, window: Window = OPEN) -> str:
    """The end of a message about an unknown name: the names that are near, those in the window before all others.

    Raises:
        LakeError: the lake cannot be read.
    """
    return next(_hints(session, kind, name, window))


def _hints(session: LakeSession, kind: NameKind, name: str, window: Window) -> Iterator[str]:
    word = name.strip("*?")
    if kind == "service":
        (row,) = session.ask(_SERVICE_OF, name=name)
        if row["service"] is not None:
            yield f"it is a workload of the service {row['service']}: ask for the service"
    if names := nearest(session, kind, word, window):
        yield f"did you mean {_either(names)}?"
    if rows := session.ask(_NEAREST, kind=kind, word=word, limit=_FEW, few=_FEW, **OPEN.parameters()):
        yield f"the lake has {', '.join(row['name'] for row in rows)}"
    yield f"no {kind} of the lake is near it"


def nearest(session: LakeSession, kind: NameKind, word: str, window: Window = OPEN) -> tuple[str, ...]:
    """A few names that are near a word, the nearest first: of the window, or if it has none, of the lake.

    Raises:
        LakeError: the lake cannot be read.
    """
    for where in dict.fromkeys((window, OPEN)):
        if rows := session.ask(_NEAREST, kind=kind, word=word, limit=_SUGGESTED, few=0, **where.parameters()):
            return tuple(row["name"] for row in rows)
    return ()


def holders(session: LakeSession, name: str) -> tuple[str, ...]:
    """A few addresses that a service, a workload or a hostname had last.

    Raises:
        LakeError: the lake cannot be read.
    """
    return tuple(row["address"] for row in session.ask(_HOLDERS, name=name, limit=_SUGGESTED))


def _either(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
