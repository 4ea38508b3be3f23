"""Lakes made of a simulation's truth: what a run without any mistake would have written."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution.testbed.fleet.tables import TRUTH


def perfect(truth):
    """Attributed rows that say the truth, nothing of what nothing names."""
    named = truth.column("remote_service").is_valid()
    columns = {name: truth.column(name) for name in TRUTH.names if name != "remote_kind"}
    size = truth.num_rows
    columns |= {
        "local_method": pa.repeat("capture", size),
        "local_reason": pa.repeat("reported", size),
        "remote_method": pc.if_else(named, "heartbeat", "none"),
        "remote_reason": pc.if_else(named, "covered", "unknown"),
    }
    return pa.table(columns)


def lake_of(rows, folder, *, rows_per_file=None):
    """A lake of one or several files an hour, the rows in any order."""
    hours = pc.strftime(rows.column("start").cast(pa.timestamp("us")), "%Y-%m-%d/%H").to_pylist()
    for hour in sorted(set(hours)):
        mine = rows.filter(pa.array([h == hour for h in hours]))
        path = folder / "attributed_flows" / f"date={hour[:10]}" / f"hour={hour[11:]}"
        path.mkdir(parents=True)
        step = rows_per_file or mine.num_rows
        for i in range(0, mine.num_rows, step):
            pq.write_table(mine.slice(i, step), path / f"part-{i}.parquet")
    return folder
