"""What every source yields, and where it reports what it left out.

A source reads one file's content and yields `Block`s: a kind of record and a batch of *raw* columns. Raw columns have
the native field names, but may still hold text where the record has a number, and addresses in any spelling.
`attribution.sources.records.validate` makes canonical batches of them and sets bad rows aside. A source therefore never
validates values: it only finds the columns.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import pyarrow as pa

from attribution.core.columnar.types import Column, Int64
from attribution.core.flow_evidence.flow_heartbeats import FlowHeartbeats
from attribution.core.identity import Identity
from attribution.errors import RejectLimitError
from attribution.sources.records.rejects import REASONS, Reject
from attribution.sources.records.wanted import Shown, Wanted

__all__ = [
    "ANY_FORMAT",
    "Account",
    "Block",
    "ColumnarFormat",
    "FlowHeartbeats",
    "Format",
    "Input",
    "Ledger",
    "Reject",
    "Wanted",
]

#: Why a sound row of any format may carry no record, also of a source whose format is not known: reason -> meaning.
ANY_FORMAT: dict[str, str] = {
    "empty_file": "The file has no content; rotated logs often have not.",
    "program": "The file is a program, as its first two characters say (`#!`), and no log.",
    "no_log": (
        "The file stands in a folder, and its content is no log: text for people, a page, an image, checksums, notes "
        "of a lake."
    ),
    "other_kind": (
        "The row is a record, but not of the kind that its option asks for: flows given as `--labels`, say. Give the "
        "file as `--flows` to use all that is in it."
    ),
    "repeated": "The record was read before: one with the same identity, whatever file it stood in.",
    "outside_window": "The flow starts before `--since`, or not before `--until`; it still is evidence.",
    "same_file": "The file has the content of another one of its option, compressed or not, and was not read again.",
    "control_message": "CloudWatch sent it to find out whether anybody listens.",
    "no_record_inside": "The object or row of a wrapping holds no record where the others have theirs.",
    "cut_by_service": "The service that ships the log has cut the message, which ends with `[Truncated...]`.",
    "other_program": "A message of another program in the stream that was unwrapped: it is no JSON object.",
}

#: What a format remembers over a run.
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Block:
    """Rows of one kind from one place.

    Attributes:
        kind: a record name of `attribution.records.INPUT_RECORDS`.
        columns: native field name -> Arrow array (chunked or not), all of one length. A field that is absent is null.
            Times: timestamp arrays, or int64 microseconds UTC, or ISO 8601 text. Numbers: numbers or text.
        source: the file or stream, as a person names it.
        lines: 1-based line (text) or row (Parquet, Arrow) of each row in the source; int64, same length.
        shown_by_flows: whether these heartbeats rest on nothing but workloads that a flow log names in its flows.
    """

    kind: str
    columns: dict[str, Column]
    source: str
    lines: Int64
    shown_by_flows: bool = False


class Input(Protocol):
    """One opened source, decompressed; read once, front to back."""

    #: As a person names it: the path, or `<stdin>`.
    name: str
    #: The network that a person gave for what names none, or null; formats need it for names inside a cluster only.
    network: str | None
    #: When the requests began whose answers it is, microseconds, or null if nobody said; for formats of snapshots only.
    seen_at: int | None

    def head(self) -> bytes:
        """The first bytes (up to 64 KiB) without consuming them; decides the format."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end.

        Truncated or corrupt content ends after its last good byte; the run sets the damage aside as one reject when the
        format is done, so a format need not care.
        """

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines, each with the 1-based number of its first line; the last may lack a final newline.

        A byte order mark is left out, and so is the cut-off last line of truncated or corrupt content.
        """

    def seekable_file(self) -> BinaryIO:
        """A seekable binary file object, for Parquet and Arrow files; spooled to disk where the input is a stream."""


@dataclass
class Ledger:
    """What was read and what was left out, by reason, over all sources of a run.

    Every row of a source is read, skipped or rejected, whatever stands in it. A row is:

    - in text and in JSON lines, a line that is neither blank nor a header nor a comment;
    - in Parquet and Arrow, a row;
    - in a JSON document, an item of its list: an event of CloudTrail, an object of Kubernetes, an entry of Loki;
    - in a document of policies, an entry of a table.

    In logs of flows, flows that were read, rows that were skipped, and flows and lines that were rejected add up to the
    rows. Evidence that the same rows are (heartbeats, name bindings) is counted on top, and so are its rejects. So a
    row that is skipped as a flow can still be a heartbeat. A row that is several records counts once for each: a DNS
    answer for its addresses, an event for those that it gives. A record that was read before moves from `rows` to
    `skipped`. What cannot be read on is one reject, however much of a source is left.

    Attributes:
        rows: (kind, source format) -> records yielded.
        skipped: (source format, reason) -> rows that carry no record on purpose; reasons are the format's `skips` and
            those of `ANY_FORMAT`.
        rejected: (source format, reason) -> rows that are broken; reasons are those of `sources.records.rejects`.
        shown: (source format, name) -> how often what a format wants was there; names are those of `Wanted.told_by`.
        beside: (source format, `read` or `rejected`) -> how many of these are evidence that a flow's row is as well.
        sink: called with each `Reject`; the run writes them to its rejects file.
        max_rejected_share: the share of rejected rows above which `check` stops the run.
        same_files: (file, the file before it with the same content) for each that was not read again.
        no_logs: (file, what it is) for each that stood beside logs and is none.
        unwrapped: (source format, what its records were wrapped in) -> files.
        consumed: bytes of sources read so far, as stored; for progress.
        memory: what a format remembers from one source of the run to the next, by format name: the names of connections
            that stand in another log, the flows already seen.
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: Counter[tuple[str, str]] = field(default_factory=Counter)
    beside: Counter[tuple[str, str]] = field(default_factory=Counter)
    sink: Callable[[Reject], None] | None = None
    max_rejected_share: float = 0.1
    same_files: list[tuple[str, str]] = field(default_factory=list)
    no_logs: list[tuple[str, str]] = field(default_factory=list)
    unwrapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    consumed: int = field(default=0, compare=False)
    memory: dict[str, object] = field(default_factory=dict, repr=False, compare=False)
    _first: dict[tuple[str, str], Reject] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, list[dict[str, str | int]]]:
        """What was read and what was left out, JSON-ready."""
        return {
            "unwrapped": _listed(self.unwrapped, "format", "wrapping", of="files"),
            "read": _listed(self.rows, "kind", "format"),
            "skipped": _listed(self.skipped, "format", "reason"),
            "same_files": [{"file": again, "as": before} for again, before in self.same_files],
            "no_logs": [{"file": name, "is": what} for name, what in self.no_logs],
            "rejected": _listed(self.rejected, "format", "reason"),
        }

    def of(self, source_format: "Format") -> "Account":
        """The ledger for one format to write to."""
        return Account(self, source_format.name, source_format.skips, source_format.lead)

    def add(self, other: "Ledger") -> None:
        """Count what another ledger counted, too."""
        self.rows.update(other.rows)
        self.skipped.update(other.skipped)
        self.rejected.update(other.rejected)
        self.shown.update(other.shown)
        self.beside.update(other.beside)
        self._first = other._first | self._first  # noqa: SLF001 - of its own class
        self.unwrapped.update(other.unwrapped)
        self.consumed += other.consumed

    def shown_by(self, source_format: str) -> Shown:
        """What was there in the sources of one format, by all the names of `Wanted.told_by`."""
        found: Counter[str] = Counter()
        rows = {(name, kind): count for (kind, name), count in self.rows.items()}
        for counts in (self.shown, rows, self.skipped, self.rejected):
            found.update({name: count for (of, name), count in counts.items() if of == source_format})
        return found

    def keep(self, reject: Reject) -> None:
        """Pass a reject to the sink."""
        if self.sink is not None:
            self.sink(reject)

    def reject(self, source_format: str, reject: Reject) -> None:
        """Count a broken row and keep it.

        Raises:
            ValueError: the reason is none of the closed list; a mistake in a format, not in the data.
        """
        if reject.reason not in REASONS:
            raise ValueError(f"{source_format}: {reject.reason!r} is no reason of attribution.sources.records.rejects")
        self.rejected[source_format, reject.reason] += 1
        self._first.setdefault((source_format, reject.reason), reject)
        self.keep(reject)

    def check(self, max_rejected_share: float | None = None, *, at_least: int = 1) -> None:
        """Stop a run whose input is mostly not what it was taken for.

        All rows count: those that were read, skipped or rejected. Evidence that the same rows are does not count again.

        Args:
            max_rejected_share: largest share of rejected rows among all rows; that of the ledger by default.
            at_least: rows to have seen before judging; fewer pass.

        Raises:
            RejectLimitError: the share is exceeded; the message counts by reason, with an example of each.
        """
        share = self.max_rejected_share if max_rejected_share is None else max_rejected_share
        rejected, read = (
            counts.total() - sum(count for (_, what), count in self.beside.items() if what == of)
            for counts, of in ((self.rejected, "rejected"), (self.rows, "read"))
        )
        skipped = self.skipped.total()
        seen = read + skipped + rejected
        if seen < at_least or rejected <= share * seen:
            return
        counts = [
            f"\n  {n} {reason} ({name}), {_example(self._first[name, reason])}"
            for (name, reason), n in self.rejected.most_common()
        ]
        raise RejectLimitError(
            f"{rejected} of {seen} rows were rejected ({read} read, {skipped} skipped), "
            f"more than the allowed share of {share:g}:{''.join(counts)}\n"
            "Mend the source. If the rows were taken for what they are not, name their format with --input-format. "
            "To go on without the rejected rows, allow a larger share with --max-rejected-share"
        )


def _listed(counts: Counter[tuple[str, str]], one: str, other: str, *, of: str = "rows") -> list[dict[str, str | int]]:
    return [{one: a, other: b, of: n} for (a, b), n in sorted(counts.items())]


def _example(reject: Reject) -> str:
    place = f"line {reject.line} of {reject.source}" if reject.line else reject.source
    return f"first {place}: {reject.found[:120]}".replace("\n", "\\n")


@dataclass(frozen=True)
class Account:
    """What one format writes to the ledger of a run.

    Attributes:
        ledger: of the run.
        name: of the format.
        skips: why the format leaves out sound rows: reason -> meaning.
        lead: the kind of record that each row is counted by, if the same rows are evidence as well.
    """

    ledger: Ledger
    name: str
    skips: Mapping[str, str]
    lead: str | None = None

    def passed(self, kind: str, rows: int) -> None:
        """Count rows that are records of a kind; a negative count takes back what turned out to be none."""
        self.ledger.rows[kind, self.name] += rows
        if self.lead not in (None, kind):
            self.ledger.beside[self.name, "read"] += rows

    def skip(self, reason: str, count: int = 1) -> None:
        """Count rows that carry no record on purpose; a negative count takes back what turned out to carry one.

        Raises:
            ValueError: the reason is none that the format declares; a mistake in a format, not in the data.
        """
        if reason not in self.skips and reason not in ANY_FORMAT:
            raise ValueError(f"the format {self.name} has no reason {reason!r} among its skips")
        skipped = self.ledger.skipped
        skipped[self.name, reason] += count
        if not skipped[self.name, reason]:
            del skipped[self.name, reason]

    def shows(self, names: Mapping[str, int]) -> None:
        """Count what a format wants and was there: name of `Wanted.told_by` -> rows."""
        for name, rows in names.items():
            self.ledger.shown[self.name, name] += rows

    def unwrapped(self, wrapping: str) -> None:
        """Count a source whose records stood in a wrapping."""
        self.ledger.unwrapped[self.name, wrapping] += 1

    def reject(self, reject: Reject) -> None:
        """Count a broken row and keep it; raises as `Ledger.reject`."""
        self.ledger.reject(self.name, reject)
        if self.lead not in (None, reject.kind) and reject.kind != "row":
            self.ledger.beside[self.name, "rejected"] += 1

    def kept(self, make: Callable[[], Kept]) -> Kept:
        """What the format remembers from one source of the run to the next; made when it is first asked for."""
        memory = self.ledger.memory
        if self.name not in memory:
            memory[self.name] = make()
        return cast("Kept", memory[self.name])


class Format(Protocol):
    """One log format: recognised by content, read to blocks."""

    #: Short name, as in `--input-format` and in the summary: `vpc`, `zeek`, `hubble`.
    name: str
    #: The page of `docs/how-to` about it, without `.md`.
    how_to: str
    #: Why it leaves out sound rows: reason -> meaning. Its how-to page names them all.
    skips: ClassVar[Mapping[str, str]] = {}
    #: What this log's flows are as heartbeats; a class that names `Format` as its base inherits `interval`.
    flow_heartbeats: FlowHeartbeats = "interval"
    #: The kind of record that each row is counted by, if its rows are evidence as well; None if a row is one record.
    lead: ClassVar[str | None] = None
    #: What makes one of its flows one record; None if equal rows may be records of two connections.
    identity: ClassVar[Identity | None] = None
    #: What attribution wants of this log, and how a person gets it.
    wants: ClassVar[Sequence[Wanted]] = ()
    #: Whether sources that are read later may tell more of its flows; `completed` adds that.
    told_later: ClassVar[bool] = False
    #: Whether services and shippers of logs put it into wrappings; lists and documents that persons keep stand alone.
    shipped: ClassVar[bool] = True
    #: Fields of a record that some stores keep as labels around it.
    labels: ClassVar[frozenset[str]] = frozenset()

    def matches(self, head: bytes) -> bool:
        """Whether `head`, the first bytes of the decompressed content, is this format. Never raises."""

    def resembles(self, head: bytes) -> bool:  # noqa: ARG002 (most are told by `matches` or not at all)
        """Whether this is most likely this format, though it cannot be read as it stands; asked if nothing matches."""
        return False

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """The blocks of the content, lazily and in bounded memory.

        A file may yield several kinds: flows, and the heartbeats that these flows are. Bad rows go to
        `account.reject`, rows without a record to `account.skip`; content that cannot go on raises `SourceError`.
        """

    def completed(self, flows: pa.RecordBatch, account: Account) -> pa.RecordBatch:  # noqa: ARG002 (most are complete)
        """Canonical flows of this format with what other sources told of them; asked once all sources are read."""
        return flows

    def read_order(self, name: str) -> tuple[str, int]:  # noqa: ARG002 (most formats need no order)
        """Sort key of a source's name, for formats that want one log of a set read before another; all alike here."""
        return "", 0


@runtime_checkable
class ColumnarFormat(Format, Protocol):
    """A format of Parquet files, recognised by its columns: they stand in the footer, which `head` does not reach.

    `matches` of such a format is false; the registry reads the footer and asks `matches_columns` instead.
    """

    def matches_columns(self, columns: frozenset[str]) -> bool:
        """Whether a Parquet file with these top-level columns is of this format. Never raises."""
