"""What one file was: its format, what was read and what was left out."""

from collections import Counter
from dataclasses import dataclass, field

from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.schema import FLOW
from attribution.sources import Ledger, Reject
from attribution.sources.reading import UNKNOWN


@dataclass(frozen=True)
class LogFile:
    """One file, or standard input.

    Attributes:
        name: as a person names it.
        format: name of its format; None if it is not known.
        wrapping: what its records stand in, as `Recognised.wrapping`; empty if in nothing.
        read: kind of record -> records.
        skipped: reason -> rows.
        rejected: reason -> rows.
        first_rejects: the first reject of each reason.
        trouble: why nothing could be read, or why reading stopped; empty if all was read.
        same_as: the file before it with the same content; empty if there is none.
        whole: whether it was read to its end.
    """

    name: str
    format: str | None
    read: Counter[str]
    skipped: Counter[str]
    rejected: Counter[str]
    first_rejects: dict[str, Reject] = field(repr=False)
    trouble: str = ""
    same_as: str = ""
    wrapping: str = ""
    whole: bool = True

    @classmethod
    def of(cls, name: str, ledger: Ledger, rejects: dict[str, Reject], *, trouble: str, whole: bool) -> "LogFile":
        """The file that a ledger is about, and no other file.

        Args:
            name: as a person names it.
            ledger: what was read of it.
            rejects: the first of each reason.
            trouble: as the attribute.
            whole: as the attribute.
        """
        formats = [*(name for _, name in ledger.rows), *(name for name, _ in (*ledger.skipped, *ledger.rejected))]
        known = [name for name in formats if name != UNKNOWN]
        return cls(
            name=name,
            format=known[0] if known else None,
            read=Counter({kind: rows for (kind, _), rows in ledger.rows.items() if rows > 0}),
            skipped=Counter({reason: rows for (_, reason), rows in ledger.skipped.items()}),
            rejected=Counter({reason: rows for (_, reason), rows in ledger.rejected.items()}),
            first_rejects=rejects,
            trouble=trouble,
            same_as=ledger.same_files[0][1] if ledger.same_files else "",
            wrapping=next((wrapping for _, wrapping in ledger.unwrapped), ""),
            whole=whole,
        )

    @property
    def readable(self) -> bool:
        """Whether it is a log, or an empty file."""
        return not (self.format is None and self.trouble)

    @property
    def given_as(self) -> str | None:
        """The kind as whose option the file is best given; None if it holds no records."""
        kinds = self.read.keys()
        if not kinds:
            return None
        return next((kind for kind in INPUT_RECORDS[1:] if kinds <= set(BY_NAME[kind].read_as) - {FLOW}), FLOW)
