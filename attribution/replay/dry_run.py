"""What a replay would read and write: everything is read and counted, and nothing is written."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attribution.config import Settings
from attribution.core.columnar.arrays import microseconds
from attribution.errors import LakeError
from attribution.lake.lake import check_replaceable
from attribution.records import INPUT_RECORDS
from attribution.replay.span import Span
from attribution.replay.task import Limits, Report
from attribution.schema import FLOW, POLICY
from attribution.sources import Batch, Ledger, Once, Reject, read, total_bytes
from attribution.sources.inputs import Inputs
from attribution.sources.pool_space import OUTSIDE, PoolPrefixes, with_pools_of
from attribution.sources.records.model import Account


@dataclass(frozen=True)
class DryRun:
    """What a replay would do.

    Attributes:
        ledger: rows read, skipped and rejected, as those of the replay.
        flows: flows that would be attributed.
        first_us, last_us: the earliest and the latest start among them, microseconds; None without any.
        replaces: whether there is a lake that would be replaced.
        free_bytes: room on the disk of the lake.
        input_bytes: size of the input as it is stored; None if that is not known.
    """

    ledger: Ledger
    flows: int
    first_us: int | None
    last_us: int | None
    replaces: bool
    free_bytes: int
    input_bytes: int | None


def dry_run(
    inputs: Inputs,
    out: Path,
    *,
    settings: Settings | None = None,
    limits: Limits | None = None,
    span: Span | None = None,
    progress: Report | None = None,
) -> DryRun:
    """Read all that `replay` with these arguments reads, and say what it would do; raises as `replay`."""
    settings, limits, span = settings or Settings(), limits or Limits(), span or Span()
    check_replaceable(out)
    disk = _disk(out)
    with_pools_of(inputs.of(POLICY), settings, format=inputs.format, mapping=inputs.mapping_of(POLICY))
    ledger = Ledger(max_rejected_share=limits.rejected_share)
    pool_space, flows, rows = PoolPrefixes(settings.pool_prefixes), 0, 0
    starts: list[int] = []
    sizes = [total_bytes(paths) for _, paths, _ in inputs.sources()]
    size = None if None in sizes else sum(one for one in sizes if one)
    for given_as, found in _batches(inputs, ledger):
        rows += found.batch.num_rows
        if found.kind == FLOW and given_as == FLOW:
            inside = span.inside(found.batch)
            flows += inside.num_rows
            start = microseconds(inside.column("start"))
            starts += [int(start.min()), int(start.max())] if len(start) else []
            if outside := found.batch.num_rows - inside.num_rows:
                account = Account(ledger, found.format, {})
                account.passed(FLOW, -outside)
                account.skip("outside_window", outside)
        elif found.kind == POLICY:
            _, beyond = pool_space.own(found.batch)
            if beyond:
                ledger.reject(found.format, Reject(found.source, 0, OUTSIDE, beyond, POLICY))
        if progress is not None:
            progress("reading", rows, min(ledger.consumed / size, 1) if size else None)
    ledger.check()
    return DryRun(
        ledger=ledger,
        flows=flows,
        first_us=min(starts, default=None),
        last_us=max(starts, default=None),
        replaces=out.exists(),
        free_bytes=shutil.disk_usage(disk).free,
        input_bytes=size,
    )


def _batches(inputs: Inputs, ledger: Ledger) -> Iterator[tuple[str, Batch]]:
    """Everything that is read, with the kind as which it was given."""
    for given_as, paths, kinds in inputs.sources():
        found = read(
            paths,
            ledger=ledger,
            format=inputs.format,
            kinds=INPUT_RECORDS if given_as == FLOW else kinds,
            network=inputs.network_of(given_as),
            seen_at=inputs.seen_at_of(given_as),
            mapping=inputs.mapping_of(given_as),
            once=Once() if given_as == FLOW else None,
        )
        yield from ((given_as, one) for one in found)


def _disk(out: Path) -> Path:
    """The nearest folder above the lake that is there.

    Raises:
        LakeError: it cannot be written.
    """
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise LakeError(f"cannot write a lake at {out}: {folder} cannot be written; choose another folder")
    return folder
