"""Flows that other regions were asked about: one bucket's memory of them, and the log from which it can be made again.

Flows are asked about in batches. A *question* is a flow that another region was asked about: the random number of its
batch, and its row in the batch. So an answer finds its flow, whatever was answered, lost or asked before. A number is
never used again, not even by a job that goes on from an older state.

A flow is open until the first answer of the region that was asked, or until it has waited too long. Every further
answer finds nothing.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Microseconds
from attribution.core.columnar.dictionaries import each_distinct, plain
from attribution.core.columnar.types import Bool, Column, Int32, Int64, Texts
from attribution.core.reasons import CLOSED, METHOD_OF
from attribution.schema import ANSWER, ATTRIBUTED_FLOW, QUESTION, arrow_schema
from attribution.stream.buckets import payload

SILENT = "region_silent"
#: Column with the region that asked; a flow that another region asked about has it beside the columns of a flow.
ASKED_BY = "asked_by"

_ROW = "row"
_NONE = pa.scalar("none")
_CLOSED = pa.array(CLOSED)
#: Bytes of entries about flows that are done from which a new log is worth its cost.
_REWRITE_FROM = 1 << 20


@dataclass
class _Asked:
    """The flows of one batch.

    Attributes:
        peer: the region that was asked.
        flows: attributed flows and their rows, which rise.
        rows: the column of the rows.
        open: which of them are.
        since_us: when they were asked about, or the bucket was made anew, by the caller's clock.
        size: bytes of the entry in the log.
    """

    peer: str
    flows: pa.RecordBatch
    rows: Int32
    open: Bool
    since_us: Microseconds
    size: int

    @classmethod
    def of(cls, entry: bytes, now_us: Microseconds) -> tuple[int, "_Asked"]:
        flows, peer, number = payload.unpack_of_peer(entry)
        rows = flows.column(_ROW).to_numpy()
        return number, cls(peer, flows, rows, np.ones(len(rows), np.bool_), now_us, len(entry))

    def find(self, rows: Int32) -> tuple[Int64, Bool]:
        """Where each row is, and whether it is there and open."""
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return at, (self.rows[at] == rows) & self.open[at]


@dataclass(frozen=True)
class Closed:
    """What became of some flows.

    Attributes:
        flows: record batches of attributed flows that are no longer open.
        entries: what is to be appended to the log.
        unasked: answers that were none to an open flow.
    """

    flows: list[pa.RecordBatch]
    entries: list[bytes]
    unasked: int = 0


class OpenQuestions:
    """The open flows of one bucket.

    Args:
        log: the entries that the bucket had written, in order; none for a new one.
        now_us: the time of the caller's clock, from which on the flows in the log have waited.
    """

    def __init__(self, log: Iterable[bytes] = (), now_us: Microseconds = 0) -> None:
        self._asked: dict[int, _Asked] = {}
        self._done_bytes = 0
        for entry in log:
            if entry[:1] == payload.OPEN:
                number, asked = _Asked.of(entry, now_us)
                self._asked[number] = asked
            else:
                number, rows = payload.unpack_done(entry)
                at, _ = self._asked[number].find(rows)
                self._close(number, at)

    @property
    def open(self) -> int:
        """How many flows are open."""
        return sum(int(asked.open.sum()) for asked in self._asked.values())

    @property
    def oldest_us(self) -> Microseconds | None:
        """Since when the first of the open flows has waited; None where there is none."""
        return min((asked.since_us for asked in self._asked.values()), default=None)

    @property
    def log_bytes(self) -> int:
        """Size of the log, about."""
        return self._done_bytes + sum(asked.size for asked in self._asked.values())

    @property
    def outgrown(self) -> bool:
        """Whether so much of the log is about flows that are done that a new one pays."""
        return self._done_bytes > max(_REWRITE_FROM, self.log_bytes - self._done_bytes)

    def ask(self, peer: str, flows: pa.RecordBatch, now_us: Microseconds) -> tuple[bytes, pa.RecordBatch]:
        """Open flows.

        Args:
            peer: the region that their remote address is of.
            flows: record batch of attributed flows, text plain, one row at least.
            now_us: the time of the caller's clock.

        Returns:
            The entry to be appended to the log, and the record batch of `schemas/question.avsc` to be sent.
        """
        number = secrets.randbits(63)
        rows = pa.array(np.arange(flows.num_rows, dtype=np.int32))
        entry = payload.pack_of_peer(payload.OPEN, flows.append_column(_ROW, rows), peer, question=number)
        self._asked[number] = _Asked.of(entry, now_us)[1]
        columns = {_ROW: rows, "question": pa.repeat(pa.scalar(number, pa.int64()), flows.num_rows)}
        schema = arrow_schema(QUESTION)
        asked = [columns[name] if name in columns else flows.column(name) for name in schema.names]
        return entry, pa.RecordBatch.from_arrays(asked, schema=schema)

    def answer(self, peer: str, answers: pa.RecordBatch) -> Closed:
        """Close the flows that a region answers; the first answer of a flow counts.

        Args:
            peer: the region that it came from.
            answers: record batch of `schemas/answer.avsc`.
        """
        flows, entries = [], []
        numbers, row = answers.column("question").to_numpy(), answers.column(_ROW).to_numpy()
        for number in np.unique(numbers).tolist():
            asked = self._asked.get(number)
            if asked is None or asked.peer != peer:
                continue
            given = np.flatnonzero(numbers == number)
            given = given[np.unique(row[given], return_index=True)[1]]
            at, fits = asked.find(row[given])
            address = asked.flows.column("remote_address").take(pa.array(at))
            same = pc.equal(address, answers.column("remote_address").take(pa.array(given)).cast(pa.string()))
            fits &= same.to_numpy(zero_copy_only=False)
            if fits.any():
                at, given = at[fits], given[fits]
                flows.append(_answered(asked.flows.take(pa.array(at)), answers.take(pa.array(given))))
                entries.append(self._close(number, at))
        return Closed(flows, entries, answers.num_rows - sum(batch.num_rows for batch in flows))

    def expire(self, before_us: Microseconds) -> Closed:
        """Close the flows that have been open since before a moment of the caller's clock, unattributed."""
        flows, entries = [], []
        for number, asked in list(self._asked.items()):
            if asked.since_us < before_us:
                at = np.flatnonzero(asked.open)
                flows.append(silent(asked.flows.take(pa.array(at))))
                entries.append(self._close(number, at))
        return Closed(flows, entries)

    def rewrite(self) -> Iterator[bytes]:
        """The entries that take the place of the log."""
        self._done_bytes = 0
        for number, asked in self._asked.items():
            flows = asked.flows.filter(pa.array(asked.open))
            entry = payload.pack_of_peer(payload.OPEN, flows, asked.peer, question=number)
            self._asked[number] = _Asked.of(entry, asked.since_us)[1]
            yield entry

    def _close(self, number: int, at: Int64) -> bytes:
        asked = self._asked[number]
        entry = payload.pack_done(number, asked.rows[at])
        asked.open[at] = False
        self._done_bytes += len(entry) + asked.size * len(at) // len(asked.rows)
        if not asked.open.any():
            del self._asked[number]
        return entry


def silent(flows: pa.RecordBatch, reason: Texts | None = None) -> pa.RecordBatch:
    """Attributed flows whose remote side nobody answered; the reason is `region_silent` by default."""
    schema, size = arrow_schema(ATTRIBUTED_FLOW), flows.num_rows
    names = ("workload", "service", "distance", "evidence_network")
    nothing: dict[str, Column] = {name: pa.nulls(size, schema.field(f"remote_{name}").type) for name in names}
    nothing["method"] = pa.repeat(_NONE, size)
    nothing["reason"] = pa.repeat(pa.scalar(SILENT), size) if reason is None else reason
    return _with_remote(flows, nothing)


def unanswered(flows: pa.RecordBatch, rows: Bool) -> pa.RecordBatch:
    """Attributed flows, of which these rows are answered by nobody: their remote address may be of several regions.

    Args:
        flows: attributed flows.
        rows: these rows.
    """
    flows, shut = plain(flows), pa.array(rows)
    nobody = _without_names(silent(flows, pc.if_else(_says_network(flows), "several_networks", "other_network")))
    columns = [
        pc.if_else(shut, nobody.column(name), column) if name in nobody.schema.names else column
        for name, column in zip(flows.schema.names, flows.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=flows.schema.names)


def _says_network(flows: pa.RecordBatch) -> pa.BooleanArray:
    return pc.or_(flows.column("local_network").is_valid(), flows.column("remote_network").is_valid())


def _answered(flows: pa.RecordBatch, answers: pa.RecordBatch) -> pa.RecordBatch:
    """Attributed flows with the answers to them, row by row; one that names nobody has no names."""
    answers = plain(answers)
    reason = answers.column("remote_reason")
    method = each_distinct(reason, METHOD_OF.get)[0].dictionary_decode()
    named = pc.not_equal(method, _NONE)
    columns = {"reason": reason, "method": method}
    for name in ("workload", "service", "distance", "evidence_network"):
        column = answers.column(f"remote_{name}")
        columns[name] = pc.if_else(named, column, pa.scalar(None, column.type))
    return _without_names(_with_remote(flows, columns))


def _without_names(flows: pa.RecordBatch) -> pa.RecordBatch:
    """The flows; those whose remote side networks leave open have no hostname but a recorded one."""
    recorded = pc.fill_null(pc.equal(flows.column("hostname_reason"), "recorded"), False)
    shut = pc.and_not(pc.is_in(flows.column("remote_reason"), value_set=_CLOSED), recorded)
    nothing = dict.fromkeys(("local_hostname", "remote_hostname", "hostname_candidates"))
    columns = dict(zip(flows.schema.names, flows.columns, strict=True))
    for name, value in (nothing | {"hostname_reason": "other_network", "hostname_count": 0}).items():
        columns[name] = pc.if_else(shut, pa.scalar(value, columns[name].type), columns[name])
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=flows.schema)


def _with_remote(flows: pa.RecordBatch, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    schema = arrow_schema(ATTRIBUTED_FLOW)
    given = {f"remote_{name}": column for name, column in columns.items()}
    made = [given[name] if name in given else flows.column(name) for name in schema.names]
    return pa.RecordBatch.from_arrays(made, schema=schema)


def answers_of(flows: pa.RecordBatch) -> pa.RecordBatch:
    """The record batch of `schemas/answer.avsc` for flows that are attributed and were asked about by one region."""
    schema = arrow_schema(ANSWER)
    flows = plain(flows)
    return pa.RecordBatch.from_arrays([flows.column(name) for name in schema.names], schema=schema)
