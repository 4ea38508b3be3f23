"""From paths to canonical batches: open, recognise, read, validate, and account for every row left out."""

from collections.abc import Collection, Container, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from attribution.errors import SourceError
from attribution.records import INPUT_RECORDS
from attribution.schema import FLOW, HEARTBEAT, LABEL, arrow_schema
from attribution.sources import registry
from attribution.sources.input.opening import OpenInput, open_inputs
from attribution.sources.input.paths import found_files
from attribution.sources.input.same_files import SameFiles
from attribution.sources.mapping.given import MappingOf, not_mapped
from attribution.sources.networks import NetworkOf, no_network
from attribution.sources.no_log import no_log
from attribution.sources.records.identity import TakenOnce
from attribution.sources.records.model import Account, FlowHeartbeats, Format, Ledger, Reject
from attribution.sources.records.network_names import filled
from attribution.sources.records.validate import canonical
from attribution.sources.records.wanted import fields_shown
from attribution.sources.request_times import SeenAt, not_said
from attribution.sources.wrapping.recognise import Recognised, unwrapped

#: Format under which sources are counted whose format is not known.
UNKNOWN = "unknown"
#: What programs begin with; they stand beside logs, and nobody misses their rows.
_PROGRAM = b"#!"
#: Files that are no logs and are named in an error.
_SHOWN = 3
#: Rows that a run has seen before its share of rejects is judged while it reads.
_JUDGED_FROM = 1000


class NoLogError(SourceError):
    """Nothing of what was found in folders is a log."""


class Once:
    """What was read of one option's sources: no file and no record of them is taken twice.

    Args:
        named: whether flows get the hash of their identity as `record_id`, as in `TakenOnce`.

    Attributes:
        files: the files.
        records: the flows.
    """

    def __init__(self, *, named: bool = False) -> None:
        self.files = SameFiles()
        self.records = TakenOnce(named=named)


@dataclass(frozen=True)
class Batch:
    """Canonical rows of one kind from one source.

    Attributes:
        kind: a record name of `attribution.records.INPUT_RECORDS`.
        batch: `pyarrow.RecordBatch`; see `attribution.sources.records.validate.canonical` for its schema.
        source: the file or stream, as a person names it.
        format: name of its format.
        flow_heartbeats: what flows of this batch are as heartbeats.
        shown_by_flows: whether heartbeats of this batch rest on workloads that a flow log names, and nothing else.
        told_later: whether sources that are read later may tell more of these flows: `registry.completed` adds that.
    """

    kind: str
    batch: pa.RecordBatch
    source: str
    format: str
    flow_heartbeats: FlowHeartbeats
    shown_by_flows: bool
    told_later: bool


def read(
    paths: Iterable[str | Path],
    *,
    ledger: Ledger,
    format: str | None = None,  # noqa: A002 (what the option is called everywhere)
    kinds: Collection[str] | None = None,
    network: NetworkOf = no_network,
    seen_at: SeenAt = not_said,
    mapping: MappingOf = not_mapped,
    once: Once | None = None,
    found: Container[str] | None = None,
    alone: bool = True,
) -> Generator[Batch, None, None]:
    """The records of all sources that `paths` name, lazily and in bounded memory.

    A source that breaks off, is damaged or is of no known format ends after its good rows with one reject, and the
    others are read. Where nothing at all could be read, its error is raised.

    Args:
        paths: files, folders, glob patterns, `-` for standard input; see `sources.input.opening.open_inputs`.
        ledger: counts what was read and left out; its share of rejects is checked as reading goes on. Check it once
            more at the end.
        format: name of the format of all sources; by default each is recognised by its content.
        kinds: kinds of records to yield; others are counted as skipped, reason `other_kind`. All by default.
        network: the network of what names none, by source and kind of record.
        seen_at: when the requests began whose answers the sources are, by source.
        mapping: the format of sources that a mapping file describes, by source; it comes before `format`.
        once: what was read before; if several calls read one option's sources, all of them are given it.
        found: names of the files that no path of a person names, since they were found in folders. If such a file shows
            that it is no log, it is skipped. By default those that `paths` do not name.
        alone: whether these are all sources of their option. If not, others of them can be read, so that sources which
            break off are rejects in any case.

    Raises:
        SourceError: a path cannot be opened, the format is unknown, or no row was read and a source was broken.
        RejectLimitError: more rows were rejected than the ledger's share, once 1000 rows were seen.
    """
    chosen = None if format is None else registry.by_name(format)
    wanted = frozenset(INPUT_RECORDS if kinds is None else kinds)
    once = once or Once()
    paths = list(paths)
    found = found_files(paths) if found is None else found
    broken: SourceError | None = None
    rows, logs, no_logs = 0, 0, len(ledger.no_logs)
    for source in open_inputs(paths, order=registry.read_order):
        source.seen_at = seen_at(source.name)
        reader = _Reader(source, ledger, mapping(source.name) or chosen, network, once, beside=source.name in found)
        before = ledger.consumed
        for batch in reader.batches(wanted):
            rows += batch.batch.num_rows
            ledger.consumed = before + source.consumed
            yield batch
        ledger.consumed = before + source.consumed
        broken = broken or reader.broken
        logs += reader.is_log
    if broken is not None and alone and not rows:
        raise broken
    if alone and not logs and len(ledger.no_logs) > no_logs:
        raise _without_a_log(paths, ledger.no_logs[no_logs:])


def _without_a_log(paths: Sequence[str | Path], no_logs: Sequence[tuple[str, str]]) -> "NoLogError":
    """The error for paths below which nothing is a log."""
    shown = ", ".join(f"{name} is {what}" for name, what in no_logs[:_SHOWN])
    more = f", and {len(no_logs) - _SHOWN} more" if len(no_logs) > _SHOWN else ""
    return NoLogError(
        f"cannot read {', '.join(map(str, paths))}: no file there is a log ({shown}{more}); give the folder of the "
        "logs. If one of the files is a log all the same, name it, and its format with --input-format"
    )


def read_labels(paths: Collection[str | Path]) -> pa.Table:
    """All labels of the sources, a table of `schemas/label.avsc`; no path, no labels.

    Raises:
        SourceError: a source cannot be read.
        RejectLimitError: too many rows were rejected.
    """
    return read_all(paths, LABEL)


def read_all(
    paths: Collection[str | Path],
    kind: str,
    *,
    format: str | None = None,  # noqa: A002 (as in `read`)
    ledger: Ledger | None = None,
    mapping: MappingOf = not_mapped,
) -> pa.Table:
    """All records of one kind in the sources, as a table of its schema; raises as `read_labels`."""
    ledger, schema = ledger or Ledger(), arrow_schema(kind)
    found = read(paths, ledger=ledger, format=format, kinds=(kind,), mapping=mapping) if paths else ()
    tables = [pa.Table.from_batches([one.batch]).cast(schema) for one in found]
    ledger.check()
    return pa.concat_tables(tables) if tables else schema.empty_table()


class _Reader:
    """Reads one source to its end, or to where it breaks; `broken` says why it broke, `is_log` if it may be a log."""

    def __init__(
        self,
        source: OpenInput,
        ledger: Ledger,
        chosen: Format | None,
        network: NetworkOf,
        once: Once,
        *,
        beside: bool,
    ) -> None:
        source.network = network(source.name, HEARTBEAT)
        self._network = network
        self.broken: SourceError | None = None
        self.is_log = True
        self._beside = beside
        self._source = source
        self._ledger = ledger
        self._chosen = chosen
        self._once = once
        self._format = UNKNOWN if chosen is None else chosen.name

    def batches(self, kinds: frozenset[str]) -> Iterator[Batch]:
        """The canonical batches of the wanted kinds."""
        found = self._recognised()
        if found is not None and not self._was_read(found.format):
            yield from self._read(found, kinds)
            self._ledger.check(at_least=_JUDGED_FROM)
        for line, beginning in self._source.too_long:
            shown = beginning.decode("utf-8", "replace")
            self._ledger.reject(self._format, Reject(self._source.name, line, "line_too_long", shown, "row"))
        damage = self._source.damage
        if damage is not None:
            self._break(
                damage.reason,
                SourceError(
                    f"cannot read {self._source.name} to its end: {damage.found}{_AGAIN.get(damage.reason, '')}"
                ),
            )

    def _recognised(self) -> Recognised[Format] | None:
        """The format of the source and its wrappings; None where there is nothing to read."""
        source = self._source
        if not source.head().strip():
            if source.damage is None:
                Account(self._ledger, self._format, {}).skip("empty_file")
            return None
        if source.head().startswith(_PROGRAM):
            Account(self._ledger, self._format, {}).skip("program")
            self.is_log = False
            return None
        try:
            found = registry.detect(source, self._chosen)
        except SourceError as error:
            if source.damage is not None:
                return None
            unknown = isinstance(error, registry.UnknownFormatError)
            if unknown and self._beside and (what := no_log(source.head())) is not None:
                Account(self._ledger, self._format, {}).skip("no_log")
                self._ledger.no_logs.append((source.name, what))
                self.is_log = False
            else:
                self._break("unknown_format" if unknown else "unreadable", error)
            return None
        self._format = found.format.name
        return found

    def _was_read(self, found: Format) -> bool:
        """Whether a file with the content of this one was read before; if so, that is counted."""
        before = self._once.files.before(self._source, self._chosen)
        if before is None:
            return False
        self._ledger.of(found).skip("same_file")
        self._ledger.same_files.append((self._source.name, before))
        return True

    def _first(self, flows: pa.RecordBatch, found: Format, account: Account) -> pa.RecordBatch:
        """The flows that were not read before; the others are counted."""
        if found.identity is None:
            return flows
        first = self._once.records.first(flows, found.identity)
        if repeats := flows.num_rows - first.num_rows:
            account.passed(FLOW, -repeats)
            account.skip("repeated", repeats)
        return first

    def _read(self, recognised: Recognised[Format], kinds: frozenset[str]) -> Iterator[Batch]:
        found = recognised.format
        account = self._ledger.of(found)
        blocks = found.read(unwrapped(self._source, recognised, account), account)
        while True:
            try:
                block = next(blocks, None)
            except SourceError as error:
                if self._source.damage is None:
                    self._break("unreadable", self._as_taken(error))
                return
            if block is None:
                return
            if block.kind not in kinds:
                account.skip("other_kind", len(block.lines))
                continue
            batch = filled(block.kind, canonical(block, account), self._network(block.source, block.kind))
            if block.kind == FLOW:
                batch = self._first(batch, found, account)
            account.shows(fields_shown(block.kind, batch, found.wants))
            self._ledger.check(at_least=_JUDGED_FROM)
            if batch.num_rows:
                source, beats = block.source, found.flow_heartbeats
                told_later = block.kind == FLOW and found.told_later
                yield Batch(block.kind, batch, source, found.name, beats, block.shown_by_flows, told_later)

    def _as_taken(self, error: SourceError) -> SourceError:
        """The error of a format with what else can be done if that format was recognised, and not named."""
        if self._chosen is not None:
            return error
        return SourceError(
            f"{error}. By its content it is {self._format}; name another with --input-format, if it is not"
        )

    def _break(self, reason: str, error: SourceError) -> None:
        self.broken = error
        line = self._source.line if reason in _AT_A_LINE else 0
        self._ledger.reject(self._format, Reject(self._source.name, line, reason, str(error), "row"))


#: What to do about damage, by its reason.
_AGAIN = dict.fromkeys(("truncated", "corrupt"), "; copy the file again")
#: Reasons for which the place where reading stopped is that of the fault.
_AT_A_LINE = frozenset({"truncated", "corrupt"})
