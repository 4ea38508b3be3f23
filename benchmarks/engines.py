"""The engines that `benchmarks/replay.py` compares, each in its own process: engines.py NAME FLOWS BEATS OUT.

All read the same two Parquet files and write Parquet with zstd. The joins of the others are bare as-of joins: the last
range that began before the flow, taken if it had not ended. Ours applies all rules.
"""

import sys
from pathlib import Path


def ours(flows: str, beats: str, out: str) -> None:
    from attribution.replay import Inputs, replay

    # The ranges are the evidence here, as for the others; flows are not to be heartbeats on top of it.
    replay(Inputs(flows=[flows], heartbeats=[beats]), Path(out), flows_are_heartbeats=False)


def ours_with_flow_heartbeats(flows: str, beats: str, out: str) -> None:
    from attribution.replay import Inputs, replay

    replay(Inputs(flows=[flows], heartbeats=[beats]), Path(out))


def duckdb_asof(flows: str, beats: str, out: str) -> None:
    import duckdb

    duckdb.sql(f"""
        copy (
            select f.*, case when h."end" >= f.start then h.workload end as remote_workload,
                   case when h."end" >= f.start then h.service end as remote_service
            from '{flows}' f asof left join '{beats}' h on f.remote_address = h.address and f.start >= h.start
        ) to '{out}' (format parquet, compression zstd)
    """)


def polars_asof(flows: str, beats: str, out: str) -> None:
    import warnings

    import polars as pl

    warnings.simplefilter("ignore")  # it cannot check the order within addresses; both sides are sorted
    left = pl.read_parquet(flows).sort("start")
    right = pl.read_parquet(beats, columns=["address", "workload", "service", "start", "end"])
    right = right.rename({"workload": "remote_workload", "service": "remote_service", "end": "known_to"}).sort("start")
    joined = left.join_asof(right, on="start", by_left="remote_address", by_right="address")
    known = pl.col("known_to") >= pl.col("start")
    names = ("remote_workload", "remote_service")
    joined.with_columns([pl.when(known).then(pl.col(name)).alias(name) for name in names]).drop(
        "known_to"
    ).write_parquet(out, compression="zstd")


def duckdb_copy(flows: str, beats: str, out: str) -> None:  # noqa: ARG001 - the floor joins nothing
    import duckdb

    duckdb.sql(f"copy (select * from '{flows}') to '{out}' (format parquet, compression zstd)")


ENGINES = {f.__name__: f for f in (ours, ours_with_flow_heartbeats, duckdb_asof, polars_asof, duckdb_copy)}

if __name__ == "__main__":
    ENGINES[sys.argv[1]](*sys.argv[2:])
