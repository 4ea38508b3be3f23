"""Setting bad lines aside: one call for a line that cannot be read, one for rows whose time cannot."""

from collections.abc import Callable, Mapping

import numpy as np

from attribution.core.columnar.types import Bool, Column, Int64
from attribution.sources.records.model import Account
from attribution.sources.records.rejects import FOUND_CHARACTERS, Reject

#: Called with a line that cannot be read: its number, its bytes, and the reason, a key of `rejects.REASONS`.
OnBad = Callable[[int, bytes, str], None]


def bad_lines(account: Account, source: str, kind: str) -> OnBad:
    """A function that rejects one line of `source`, given its number, its bytes and the reason."""

    def set_aside(line: int, content: bytes, reason: str) -> None:
        # A character is four bytes at most: enough of them, never all of a line of many megabytes.
        found = content[: 4 * FOUND_CHARACTERS].decode("utf-8", "replace")[:FOUND_CHARACTERS]
        account.reject(Reject(source, line, reason, found, kind))

    return set_aside


def bad_times(columns: Mapping[str, Column], names: tuple[str, ...], bad: Bool, lines: Int64, set_aside: OnBad) -> None:
    """Reject the rows of a mask for their times; what was found is what stands in the columns `names`."""
    present = [name for name in names if name in columns]
    for row in np.flatnonzero(bad).tolist():
        found = " ".join(f"{name}={columns[name][row].as_py()}" for name in present)
        set_aside(int(lines[row]), found.encode(), "not_a_time")
