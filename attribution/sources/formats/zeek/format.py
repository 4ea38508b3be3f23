"""Zeek logs, tab-separated or JSON: conn, dns, ssl, http and dhcp.

| log | is |
|---|---|
| conn | flows (basis `connection` for TCP, else `window`) |
| dns | name bindings |
| ssl, http | the hostname of their connection's flow, whichever of the logs is read first |
| dhcp | heartbeats: at an ACK, the address is the client's |
| any other | skipped, reason `other_log` |

Which log a row is of says `#path` or `_path`, else the fields that only one log has; never the name of the file.

A server name (TLS) or Host (HTTP) belongs to one connection, so it is no name binding: it is joined to the flow by the
connection's `uid`. If the names of files tell it, the ssl and http logs are read first (`read_order`), which costs
least. At most a million names are kept over a run, the latest; those forgotten are counted (`name_forgotten`).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Column
from attribution.core.identity import BY_RECORD_ID
from attribution.errors import SourceError
from attribution.schema import FLOW, HEARTBEAT, NAME_BINDING
from attribution.sources.formats.zeek.hostnames import Hostnames
from attribution.sources.formats.zeek.records import FIELDS, LISTS, TEXTS, answers, connections, leases
from attribution.sources.formats.zeek.tsv import SCOPED, Header, Rows, TsvReader, unescape
from attribution.sources.json.lines import JsonLines, Path, Piece, first_object
from attribution.sources.json.objects import first_objects
from attribution.sources.records.model import Account, Block, Format, Input, Wanted
from attribution.sources.records.raw_columns import alike, text
from attribution.sources.records.set_aside import bad_lines, bad_times

_BLOCK_BYTES = 4 << 20
_SHOWN = 60

#: Fields that every row of one log has and no other log, by which a JSON line without `_path` is told.
_TELLTALE = {
    "conn_state": "conn",
    "rejected": "dns",
    "trans_depth": "http",
    "established": "ssl",
    "uids": "dhcp",
    "assigned_ip": "dhcp",
}
_NAMING = ("ssl", "http")
#: What stands before the name of a field that a shipper has put into an object: `{"id": {"orig_h": …}}`.
_NESTED = "nested:"
#: What stands before the name of a field that a site writes with another character between its parts: `id_orig_h`.
_JOINED = "joined:"


#: Why a sound row carries no record.
_SKIPS = {
    "other_log": "A row of a log that is not read: only conn, dns, ssl, http and dhcp are.",
    "dns_error": "A DNS query that failed or was rejected.",
    "no_address_query": "A DNS query for something else than an address (A, AAAA).",
    "no_answer": "A DNS query without an address among its answers.",
    "no_lease": "A DHCP exchange that ends without an address that the client may use, or names no client.",
    "name_of_connection": "A row of ssl or http whose hostname is kept for the connection's own row.",
    "no_name": "A row of ssl or http without a server name or Host.",
    "name_forgotten": "A kept hostname given up for a later one, because there are more than memory allows.",
}


_GIVE = "Give these logs of the same days as well, together with conn.log, as `--flows`."
#: What attribution wants of Zeek's logs.
_WANTS = (
    Wanted(
        name="dhcp.log",
        told_by=(HEARTBEAT,),
        without="no log shows which host had an address",
        get=_GIVE,
        elsewhere=True,
    ),
    Wanted(
        name="dns.log",
        told_by=(NAME_BINDING, "dns_error", "no_address_query", "no_answer"),
        without="flows get no hostname from the answers that the client got",
        get=_GIVE,
        elsewhere=True,
    ),
    Wanted(
        name="ssl.log, http.log",
        told_by=("name_of_connection", "no_name", "flow.hostname"),
        without="flows get no hostname from TLS or HTTP",
        get=_GIVE,
        elsewhere=True,
    ),
)


class Zeek(Format):
    """Zeek logs; the names of ssl and http are joined to conn in the run's memory."""

    name = "zeek"
    how_to = "zeek"
    skips = _SKIPS
    identity = BY_RECORD_ID
    wants = _WANTS
    told_later = True

    def matches(self, head: bytes) -> bool:
        """Whether this is a Zeek header, or a JSON line with Zeek's fields."""
        if head.startswith(b"#"):
            return head.startswith((b"#separator ", b"#fields")) or b"\n#fields" in head
        row = first_object(head)
        if row is None or "ts" not in row:
            return False
        return bool({"_path", "uid", "uids", "fuid", "id.orig_h", "id_orig_h", "conn_uids"} & set(row))

    def completed(self, flows: pa.RecordBatch, account: Account) -> pa.RecordBatch:
        """The flows with the names of ssl and http rows that were read after them."""
        return account.kept(Hostnames).completed(flows)

    def read_order(self, name: str) -> tuple[str, int]:
        """Where a file of this name belongs among others: the ssl and http logs of a rotation before its conn log."""
        folder, _, file = name.rpartition("/")
        log, _, rotation = file.partition(".")
        return f"{folder}/{rotation}", 0 if log in _NAMING else 1

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """The records of one log, or of several in one stream.

        Raises:
            SourceError: the separator of columns is not one character.
        """
        set_aside = bad_lines(account, data.name, "row")
        if data.head().startswith(b"#"):
            first = data.head().partition(b"\n")[0]
            if Header().take(first).separator is None:
                raise SourceError(
                    f"cannot read {data.name}: its first line {first[:_SHOWN]!r} names no separator of one character; "
                    "let Zeek write the log with `LogAscii::separator` as it is by default"
                )
            table = TsvReader(FIELDS, _TELLTALE)
            for first_line, block in data.lines(_BLOCK_BYTES):
                for rows in table.read(block, first_line, set_aside):
                    yield from self._records(rows, data.name, account)
            return
        reader = JsonLines(_paths(data.head()), nested=LISTS, texts=TEXTS)
        for first_line, block in data.lines(_BLOCK_BYTES):
            for piece in reader.read(block, first_line, set_aside):
                for rows in _by_log(piece):
                    yield from self._records(rows, data.name, account)

    def _records(self, rows: Rows, source: str, account: Account) -> Iterator[Block]:
        if rows.path == "conn":
            names = account.kept(Hostnames).of(rows.columns["uid"], folder=_folder(source, "conn"))
            result, kind = connections(rows.columns, names), FLOW
        elif rows.path == "dns":
            result, kind = answers(rows.columns, rows.header), NAME_BINDING
        elif rows.path == "dhcp":
            result, kind = leases(rows.columns, rows.header), HEARTBEAT
        elif rows.path in _NAMING:
            self._note_names(rows.columns, account, _folder(source, *_NAMING))
            return
        else:
            account.skip("other_log", len(rows.lines))
            return
        for reason, count in result.skipped.items():
            account.skip(reason, count)
        set_aside = bad_lines(account, source, kind)
        bad_times(rows.columns, ("ts", "duration", "rtt"), result.bad_time, rows.lines, set_aside)
        if len(result.row):
            yield Block(kind, result.columns, source, rows.lines[result.row])

    def _note_names(self, columns: dict[str, Column], account: Account, folder: str | None) -> None:
        names = text(one_array(columns["server_name"] if "server_name" in columns else columns["host"]))
        with_name = pc.sum(pc.is_valid(names)).as_py() or 0
        account.skip("name_of_connection", with_name)
        account.skip("no_name", len(names) - with_name)
        hostnames = account.kept(Hostnames)
        account.skip("name_forgotten", hostnames.note(columns["uid"], unescape(names), folder=folder))


def _folder(source: str, *logs: str) -> str | None:
    """The folder of a source, if its name is that of one of these logs, so that the order of reading is known."""
    folder, _, file = source.rpartition("/")
    return folder if file.partition(".")[0] in logs else None


def _paths(head: bytes) -> dict[str, Path]:
    """The fields of all logs, and where each stands; also in objects (`id`) and by joined names, if there are such."""
    names = ("_path", *_TELLTALE, *(field for log in FIELDS.values() for field in log))
    found: dict[str, Path] = {name: (name,) for name in names}
    outer = {name.partition(".")[0] for name in names if "." in name}
    rows = first_objects(head)
    if any(isinstance(row.get(key), dict) for row in rows for key in outer):
        found |= {f"{_NESTED}{name}": tuple(name.split(".")) for name in names if "." in name}
    if any(key in row for row in rows for key in SCOPED):
        found |= {f"{_JOINED}{name}": (key,) for key, name in SCOPED.items()}
    return found


def _by_log(piece: Piece) -> Iterator[Rows]:
    """JSON lines by log: what `_path` says, else what only that log has."""
    columns = {name: column for name, column in piece.columns.items() if not name.startswith((_NESTED, _JOINED))}
    for name in piece.columns.keys() - columns.keys():
        flat = name.removeprefix(_NESTED).removeprefix(_JOINED)
        columns[flat] = pc.coalesce(*alike(columns[flat], piece.columns[name]))
    piece = Piece(columns, piece.lines)
    path = text(piece.columns["_path"])
    for field, log in _TELLTALE.items():
        told = pc.and_(pc.is_null(piece.columns["_path"]), pc.is_valid(piece.columns[field]))
        path = pc.if_else(told, log, path)
    path = pc.fill_null(path, "")
    for log in pc.unique(path).to_pylist():
        row = np.flatnonzero(np.asarray(pc.equal(path, log)))
        columns = {name: pc.take(piece.columns[name], row) for name in FIELDS.get(log, ())}
        yield Rows(log, Header(), columns, piece.lines[row])


FORMATS: tuple[Format, ...] = (Zeek(),)
