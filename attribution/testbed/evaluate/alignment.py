"""Aligns attributed flows with the truth, one slice of time after the other, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from attribution.core.columnar.types import Int64
from attribution.errors import LakeError, SourceError
from attribution.schema import TIMESTAMP
from attribution.testbed.fleet.tables import IDENTITY, NETWORK_TRUTH, TRUTH
from attribution.testbed.pools.tables import AGILITY_TRUTH

#: Rows of the truth that are compared at once, about.
SLICE_ROWS = 500_000

_ANSWERS = tuple(
    f"{side}_{name}" for side in ("local", "remote") for name in ("workload", "service", "method", "reason")
)
#: What is said besides of flows whose truth has names.
_NAME_ANSWERS = (
    "basis",
    *(f"{side}_{name}" for side in ("local", "remote") for name in ("pool", "policy", "policy_state", "hostname")),
    "hostname_reason", "hostname_count", "hostname_candidates",
)  # fmt: skip
_FIRST, _LAST = -(1 << 62), 1 << 62


@dataclass(frozen=True)
class Slice:
    """Flows of one slice of time.

    Attributes:
        truth: rows of `TRUTH`, of `NETWORK_TRUTH`, or of `AGILITY_TRUTH`.
        answers: `{local,remote}_{workload,service,method,reason}` of the same flows, row by row, and the answers about
            names if the truth has names; null in rows that are lost.
        lost: flows of the truth that have no attributed row.
        repeated: attributed rows beyond the first of their flow.
        foreign: attributed rows whose flow the truth does not know.
    """

    truth: pa.Table
    answers: pa.Table
    lost: int
    repeated: int
    foreign: int


def aligned(attributed: Path, truth: Path, *, slice_rows: int = SLICE_ROWS) -> Iterator[Slice]:
    """Align the flows of a lake with the truth, in the order of their start.

    Args:
        attributed: the lake, or its folder `attributed_flows`.
        truth: the truth file of a simulation.
        slice_rows: about how many rows to hold at once. Flows that start in the same microsecond, as windows do, are
            never split.

    Raises:
        LakeError: there is no lake.
        SourceError: the truth cannot be read, lacks columns, or names one flow twice.
    """
    lake = _dataset(attributed)
    file = _truth_file(truth)
    known_facts = dict.fromkeys([*AGILITY_TRUTH.names, *NETWORK_TRUTH.names])
    facts = [name for name in known_facts if name in file.schema_arrow.names]
    wanted = [*IDENTITY, *_ANSWERS, *(_NAME_ANSWERS if has_names(file.schema_arrow) else ())]
    missing = [name for name in wanted if name not in lake.schema.names]
    if missing:
        raise LakeError(
            f"cannot evaluate {attributed}: its flows have no column {missing[0]!r}; replay them with this version"
        )
    bounds = [_FIRST, *_bounds(file, slice_rows), _LAST]
    known = ds.dataset(truth, format="parquet")
    for begin, end in pairwise(bounds):
        inside = (ds.field("start") >= _time(begin)) & (ds.field("start") < _time(end))
        rows = known.to_table(columns=facts, filter=inside)
        found = lake.to_table(columns=wanted, filter=inside)
        yield align(_plain(rows), _plain(found), name=str(truth))


def align(truth: pa.Table, attributed: pa.Table, *, name: str = "the truth") -> Slice:
    """Join the attributed rows to the rows of the truth, by the identity of the flow.

    Raises:
        SourceError: the truth, called `name`, holds one flow twice.
    """
    left = _keys(truth).append_column("truth_row", pa.array(np.arange(truth.num_rows)))
    right = _keys(attributed).append_column("row", pa.array(np.arange(attributed.num_rows)))
    joined = left.join(right, keys=list(IDENTITY), join_type="full outer")
    both = joined.filter(pc.and_(joined.column("truth_row").is_valid(), joined.column("row").is_valid()))
    truth_row, row = _ints(both.column("truth_row")), _ints(both.column("row"))
    if np.bincount(row).max(initial=0) > 1:
        raise SourceError(
            f"cannot evaluate against {name}: it holds one flow twice; its rows must be unique in {IDENTITY}"
        )
    first = np.full(truth.num_rows, -1, dtype=np.int64)
    order = np.argsort(row)[::-1]
    first[truth_row[order]] = row[order]
    matched = int((first >= 0).sum())
    said = [*_ANSWERS, *(_NAME_ANSWERS if has_names(truth.schema) else ())]
    answers = attributed.select(said).take(pa.array(first, mask=first < 0))
    return Slice(
        truth=truth,
        answers=answers,
        lost=truth.num_rows - matched,
        repeated=len(row) - matched,
        foreign=attributed.num_rows - len(row),
    )


def has_names(truth: pa.Schema) -> bool:
    """Whether a truth with that schema says for which names connections were opened."""
    return "hostname" in truth.names


def has_networks(truth: pa.Schema) -> bool:
    """Whether a truth with that schema says in which networks addresses were."""
    return "networks_told" in truth.names


def _keys(table: pa.Table) -> pa.Table:
    """Identity columns in types that a join compares: numbers for times, no nulls (a join never matches them)."""
    columns = {}
    for field in (TRUTH.field(name) for name in IDENTITY):
        column = table.column(field.name)
        if pa.types.is_string(field.type):
            columns[field.name] = column.cast(pa.string()).fill_null("")
        else:
            columns[field.name] = column.cast(pa.int64()).fill_null(-1)
    return pa.table(columns)


def _plain(table: pa.Table) -> pa.Table:
    """The table without dictionary encoding, so that slices compare and concatenate."""
    columns = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(columns, names=table.column_names)


def _ints(column: pa.ChunkedArray) -> Int64:
    return np.asarray(column.combine_chunks()).astype(np.int64)


def _time(microseconds: int) -> pa.Scalar:
    return pa.scalar(microseconds, pa.int64()).cast(TIMESTAMP)


def _dataset(folder: Path) -> ds.Dataset:
    flows = folder / "attributed_flows" if (folder / "attributed_flows").is_dir() else folder
    if not flows.is_dir() or not any(flows.glob("date=*")):
        raise LakeError(f"cannot evaluate {folder}: it holds no attributed_flows; name the folder that replay wrote")
    return ds.dataset(flows, format="parquet", partitioning="hive")


def _truth_file(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"cannot read the truth {path}: {error}; name the truth.parquet of a simulation") from error
    missing = [name for name in TRUTH.names if name not in file.schema_arrow.names]
    if missing:
        raise SourceError(
            f"cannot evaluate against {path}: it has no column {missing[0]!r}; name a simulation's truth.parquet"
        )
    return file


def _bounds(file: pq.ParquetFile, slice_rows: int) -> list[int]:
    """Times that cut the truth into slices of about that many rows, from the statistics of its row groups."""
    column = file.schema_arrow.names.index("start")
    bounds: list[int] = []
    rows = 0
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        statistics = group.column(column).statistics
        if rows >= slice_rows and statistics is not None and statistics.has_min_max:
            bounds.append(pa.scalar(statistics.min, TIMESTAMP).cast(pa.int64()).as_py())
            rows = 0
        rows += group.num_rows
    return sorted(set(bounds))
