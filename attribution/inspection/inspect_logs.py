"""Reads logs once, file by file, and says what they hold."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from attribution.core.question import SIDES, Side
from attribution.errors import SourceError
from attribution.inspection.command import replay_command
from attribution.inspection.coverage import Coverage, coverage
from attribution.inspection.evidence_facts import EvidenceFacts
from attribution.inspection.finding import Facts, Finding
from attribution.inspection.findings import findings
from attribution.inspection.flow_facts import FlowFacts
from attribution.inspection.lacks import Lacks
from attribution.inspection.log_file import LogFile
from attribution.schema import FLOW
from attribution.sources import Ledger, NoLogError, Once, Reject, read, total_bytes
from attribution.sources.input.paths import STDIN, expand, found_files, name_of
from attribution.sources.inputs import Inputs
from attribution.sources.registry import UnknownFormatError, by_name, read_order

#: Called with the records read so far, and the share of the bytes that is read; None if that is not known.
Progress = Callable[[int, float | None], None]


@dataclass(frozen=True)
class Inspection:
    """What logs hold.

    Attributes:
        files: one by one, in the order in which they were read.
        flows: of all of them.
        evidence: of all of them.
        covered: by side of flows, how many of its addresses have evidence.
        findings: what to know or to mend, what matters most first.
        command: the words of the `attribution replay` command for them; empty without flows.
    """

    files: list[LogFile]
    flows: FlowFacts
    evidence: EvidenceFacts
    covered: dict[Side, Coverage]
    findings: list[Finding]
    command: list[str]

    @property
    def flawed(self) -> bool:
        """Whether rows were rejected, or files could not be read."""
        return any(file.rejected for file in self.files)


def inspect_logs(
    inputs: Inputs, *, rows: int | None = None, now_us: int | None = None, progress: Progress | None = None
) -> Inspection:
    """Read all that `inputs` has as flows, and say what it is: flows or evidence.

    A file that cannot be read, or is of no known format, is said to be so; the others are read.

    Args:
        inputs: where the logs stand. A kind that is named in its networks or times is `flows`.
        rows: of each file, stop after about so many records.
        now_us: the present, microseconds UTC.
        progress: called as reading goes on.

    Raises:
        SourceError: a path cannot be found or opened, or there is no format of that name.
        ConfigError: what was given as networks or times is none.
    """
    if inputs.format is not None:
        by_name(inputs.format)
    reading = _Reading(inputs, rows, progress)
    for path in sorted(expand(inputs.of(FLOW)), key=lambda path: read_order(name_of(path))):
        reading.read(path)
    command = replay_command(inputs, reading.files)
    covered = {side: coverage(reading.flows.places[side], reading.evidence) for side in SIDES}
    facts = Facts(
        flows=reading.flows,
        evidence=reading.evidence,
        covered=covered,
        lacks=reading.lacks.found(),
        files=reading.files,
        command=command,
        now_us=time.time_ns() // 1000 if now_us is None else now_us,
    )
    return Inspection(reading.files, reading.flows, reading.evidence, covered, findings(facts), command)


class _Reading:
    """Reads file after file.

    Attributes:
        files: what they were.
        flows, evidence: what they held.
        whole: a ledger of all of them.
        lacks: what is missing in them.
    """

    def __init__(self, inputs: Inputs, rows: int | None, progress: Progress | None) -> None:
        self._inputs, self._rows, self._progress = inputs, rows, progress
        self._once = Once()
        self._bytes = total_bytes(inputs.of(FLOW))
        self._found = found_files(inputs.of(FLOW))
        self.files: list[LogFile] = []
        self.flows, self.evidence = FlowFacts(), EvidenceFacts()
        self.whole, self.lacks = Ledger(), Lacks()

    def read(self, path: Path | None) -> None:
        """Read one file, or standard input."""
        rejects: dict[str, Reject] = {}

        def keep_first(reject: Reject) -> None:
            rejects.setdefault(reject.reason, reject)

        ledger = Ledger(sink=keep_first, max_rejected_share=1, memory=self.whole.memory)
        trouble, whole = "", True
        try:
            whole = self._records(path, ledger)
        except NoLogError:
            pass  # what it is stands among the skipped
        except UnknownFormatError as error:
            trouble = error.short
        except SourceError as error:
            trouble = str(error)
        self.whole.add(ledger)
        self.lacks.add(ledger)
        self.files.append(LogFile.of(name_of(path), ledger, rejects, trouble=trouble, whole=whole))

    def _records(self, path: Path | None, ledger: Ledger) -> bool:
        """Take the records of a file; whether all of it was read."""
        found_in = read(
            [STDIN if path is None else path],
            ledger=ledger,
            format=self._inputs.format,
            network=self._inputs.network_of(FLOW),
            seen_at=self._inputs.seen_at_of(FLOW),
            mapping=self._inputs.mapping_of(FLOW),
            once=self._once,
            found=self._found,
        )
        taken = 0
        with closing(found_in) as batches:
            for found in batches:
                if found.kind == FLOW:
                    self.flows.add(found.batch)
                    if found.flow_heartbeats != "none":
                        self.evidence.add_flows(found.batch, found.flow_heartbeats)
                else:
                    self.evidence.add(found.kind, found.batch, of_flows=found.shown_by_flows)
                taken += found.batch.num_rows
                self._report(ledger)
                if self._rows is not None and taken >= self._rows:
                    return False
        return True

    def _report(self, ledger: Ledger) -> None:
        if self._progress is not None:
            consumed = self.whole.consumed + ledger.consumed
            rows = self.whole.rows.total() + ledger.rows.total()
            self._progress(rows, min(consumed / self._bytes, 1) if self._bytes else None)
