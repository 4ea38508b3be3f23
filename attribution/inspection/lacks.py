"""What formats want and logs have not: in none of their files, or in some of them."""

from collections import Counter
from dataclasses import dataclass

from attribution.sources import Ledger
from attribution.sources.records.model import Format, Wanted
from attribution.sources.registry import FORMATS, lacking


@dataclass(frozen=True)
class Lack:
    """Something that a format wants and that is missing.

    Attributes:
        known: the format.
        wanted: what is missing.
        files: in how many files of the format; in all of them if it may stand elsewhere.
        of: how many files of the format there are in which it could be.
    """

    known: Format
    wanted: Wanted
    files: int
    of: int

    @property
    def everywhere(self) -> bool:
        """Whether no file has it."""
        return self.files == self.of


class Lacks:
    """Collects what is missing, file by file."""

    def __init__(self) -> None:
        self._whole = Ledger()
        self._files: Counter[tuple[str, str]] = Counter()
        self._of: Counter[tuple[str, str]] = Counter()

    def add(self, ledger: Ledger) -> None:
        """Take what was read of one file."""
        self._whole.add(ledger)
        self._files.update((known.name, one.name) for known, one in lacking(ledger))
        for known in FORMATS:
            shown = ledger.shown_by(known.name) if known.wants else {}
            self._of.update((known.name, one.name) for one in known.wants if shown.get(one.among))

    def found(self) -> list[Lack]:
        """All that is missing, by format; what is needed first."""
        everywhere = {(known.name, one.name) for known, one in lacking(self._whole)}
        lacks = []
        for known in FORMATS:
            for one in sorted(known.wants, key=lambda one: not one.needed):
                key = known.name, one.name
                if key in everywhere:
                    lacks.append(Lack(known, one, self._of[key], self._of[key]))
                elif self._files[key] and not one.elsewhere:
                    lacks.append(Lack(known, one, self._files[key], self._of[key]))
        return lacks
