"""The names asked for in connections (TLS, HTTP), joined to the flows of the connections by their `uid`.

Names and connections may come in any order: in files of any name, or mixed in one stream. A flow gets the name that is
known when it is read. Flows that were read before their names get them once all sources are read, see `late`.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column
from attribution.sources.records.deduplication import Recent
from attribution.sources.records.raw_columns import text

_KEPT_NAMES = 1_000_000
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
#: Stands for the name of a connection that has several.
_SEVERAL = ""


class Hostnames:
    """The names asked for in connections, by `uid`: the latest `limit` of them, or half as many.

    Attributes:
        late: whether names may have come after the flows of their connections.
    """

    def __init__(self, limit: int = _KEPT_NAMES) -> None:
        self._names: Recent[str] = Recent(limit)
        self._late = False
        # Folders whose connections were asked for, and folders with names that came after those of another folder.
        self._asked: set[str | None] = set()
        self._early: set[str] = set()

    @property
    def late(self) -> bool:
        """Whether names may have come after the flows of their connections."""
        return self._late or bool(self._early)

    def note(self, uids: Column, names: Column, *, folder: str | None = None) -> int:
        """Remember the name of each connection; how many older ones were forgotten for them.

        A connection with two names has none: which one a byte was for cannot be told.

        Args:
            uids: of the connections.
            names: as the log has them.
            folder: that of the source, if its name has put it before the connections of its folder; None otherwise.
        """
        if self._asked and (folder is None or None in self._asked):
            self._late = True
        elif self._asked and folder not in self._asked:
            self._early.add(str(folder))
        before = self._names.forgotten
        for uid, name in zip(text(uids).to_pylist(), names.to_pylist(), strict=True):
            host = _host(name)
            if uid is not None and host is not None:
                self._names.put(uid, host if self._names.get(uid) in {None, host} else _SEVERAL)
        return self._names.forgotten - before

    def of(self, uids: Column, *, folder: str | None = None) -> Column:
        """The name of each connection, null where none is known yet.

        Args:
            uids: of the connections.
            folder: that of the source, if its name has put it behind the names of its folder; None otherwise.
        """
        self._asked.add(folder)
        self._early.discard(str(folder))
        names = self._known(uids)
        return pc.if_else(pc.equal(names, _SEVERAL), pa.scalar(None, pa.string()), names)

    def completed(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """Canonical flows of connections with the names that came after them.

        A name is that of the responder. So only flows that the local side opened have one.
        """
        if not self.late:
            return flows
        names = self._known(flows.column("record_id"))
        at = flows.schema.get_field_index("hostname")
        before = decoded(flows.column(at))
        opened = pc.equal(decoded(flows.column("direction")), "egress")
        told = pc.and_(pc.fill_null(opened, False), pc.is_valid(names))
        several = pc.and_(told, pc.or_(pc.equal(names, _SEVERAL), pc.fill_null(pc.not_equal(before, names), False)))
        found = pc.if_else(told, names, before)
        found = pc.if_else(several, pa.scalar(None, pa.string()), found)
        return flows.set_column(at, flows.schema.field(at).with_type(pa.string()), found)

    def _known(self, uids: Column) -> Column:
        if not len(self._names):
            return pa.nulls(len(uids), pa.string())
        return pa.array(map(self._names.get, text(uids).to_pylist()), pa.string(), size=len(uids))


def _host(name: str | None) -> str | None:
    """The hostname in a server name or a Host header; None where it is an address or no name."""
    if name is None:
        return None
    host = name.strip().lower()
    if not host.startswith("["):
        host = host.partition(":")[0].rstrip(".")
    if not _HOST.fullmatch(host) or host.rpartition(".")[2].isdigit():
        return None
    return host
