"""What became of the rows of a run's sources, as the lines below its table."""

from collections.abc import Iterator

from attribution.cli.render.measures import counted, visible
from attribution.sources import Ledger

#: Files that are no logs and are named.
_NAMED = 5


def ledger_lines(ledger: Ledger, *, kept_in: object = None) -> Iterator[str]:
    """The rows by what became of them, and what that means where some were left out.

    Args:
        ledger: of the run.
        kept_in: the file that has the rejected rows; None if there is none.
    """
    for (name, wrapping), n in sorted(ledger.unwrapped.items()):
        yield f"unwrapped{n:>12,}  {'file' if n == 1 else 'files'}: {wrapping} ({name})"
    yield from (f"read     {n:>12,}  {kind} ({name})" for (kind, name), n in sorted(ledger.rows.items()))
    yield from (f"skipped  {n:>12,}  {reason} ({name})" for (name, reason), n in sorted(ledger.skipped.items()))
    yield from (
        visible(f"{again} has the content of {before}, and was not read again.") for again, before in ledger.same_files
    )
    yield from (visible(f"{name} is no log, but {what}.") for name, what in ledger.no_logs[:_NAMED])
    if more := len(ledger.no_logs[_NAMED:]):
        yield f"{counted(more, 'file')} more {'is' if more == 1 else 'are'} no log."
    yield from (f"rejected {n:>12,}  {reason} ({name})" for (name, reason), n in sorted(ledger.rejected.items()))
    if ledger.skipped:
        yield "Skipped rows are sound, and left out on purpose. docs/reference/rejects.md says what each reason means."
    if ledger.rejected:
        kept = "" if kept_in is None else f" They stand in {visible(str(kept_in))}, each with its reason."
        yield f"Rejected rows are broken, so they are not used.{kept}"
