"""What became of the rows of a source: the records that were read, and what the ledger counts."""

import tempfile
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from attribution.errors import SourceError
from attribution.records import INPUT_RECORDS
from attribution.sources import Ledger, read


@dataclass
class Outcome:
    """What became of the rows of a source.

    Attributes:
        records: canonical rows by kind and content, as often as they came.
        counts: what the ledger counts: read by kind, skipped by reason, rejected by kind and reason.
    """

    records: Counter = field(default_factory=Counter)
    counts: Counter = field(default_factory=Counter)

    @classmethod
    def of(cls, log, rows):
        return cls.of_content(log.source(rows).encode(), log.format)

    @classmethod
    def of_content(cls, content, name):
        found, rejects = cls(), []
        ledger = Ledger(max_rejected_share=1, sink=rejects.append)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "source"
            path.write_bytes(content)
            try:
                for one in read([path], ledger=ledger, format=name):
                    one.batch.validate(full=True)
                    found.records.update((one.kind, repr(row)) for row in one.batch.to_pylist())
            except SourceError:
                assert not found.records
                assert ledger.rejected.total()
        found.counts.update({("read", kind): count for (kind, _), count in ledger.rows.items() if count})
        found.counts.update({("skipped", reason): count for (_, reason), count in ledger.skipped.items()})
        found.counts.update(("rejected", reject.kind, reject.reason) for reject in rejects)
        assert found.records.total() == ledger.rows.total()
        assert len(rejects) == ledger.rejected.total()
        return found

    def __sub__(self, other):
        less = deepcopy(self)
        less.records.subtract(other.records)
        less.counts.subtract(other.counts)
        return less

    def nowhere_negative(self):
        return min([0, *self.records.values(), *self.counts.values()]) == 0

    def rows(self, lead=None):
        """How many rows were accounted for, by their records of the kind `lead`, or of any kind."""
        beside = () if lead is None else {*INPUT_RECORDS} - {lead}
        return sum(count for (_, kind, *_), count in self.counts.items() if kind not in beside)
