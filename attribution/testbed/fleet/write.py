"""Writes a simulation as a folder of files: what `replay` reads, what `evaluate` reads, and the scenario."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution import __version__
from attribution.config import SECOND, Settings
from attribution.errors import ConfigError, LakeError
from attribution.lake.staging import StagedFolder
from attribution.origins import as_toml, written
from attribution.schema import FLOW, arrow_schema
from attribution.sources.formats.vpc.fields import REPORT_DELAY, WITHIN_SECOND
from attribution.testbed.fleet.goflow2_lines import check_goflow2, goflow2_lines, of_routers
from attribution.testbed.fleet.simulation import Simulation
from attribution.testbed.fleet.tables import NETWORK_TRUTH, TRUTH
from attribution.testbed.fleet.world.addresses import has_further_pools

FlowFormat = Literal["parquet", "jsonl", "vpc", "goflow2"]

#: The file of the flows in each format.
FLOW_FILES: dict[FlowFormat, str] = {
    "parquet": "flows.parquet",
    "jsonl": "flows.jsonl",
    "vpc": "flows.log.gz",
    "goflow2": "flows.goflow2.jsonl",
}

#: Says that a folder is a simulation, which another one may replace.
SCENARIO_FILE = "scenario.json"
TRUTH_FILE = "truth.parquet"
EVENTS_FILE = "workload_events.parquet"
HEARTBEATS_FILE = "heartbeats.parquet"
NAMES_FILE = "name_bindings.parquet"
REGIONS_FILE = "regions.csv"
TRAFFIC_FILE = "traffic.parquet"
#: What is true of the simulated world, for `attribution replay --config`.
SETTINGS_FILE = "settings.toml"
_SETTINGS = ("clock_tolerance", "routes", "workload_prefixes", "pool_prefixes")

#: Fields of the VPC flow log (version 5, custom format) in the order of its header.
_VPC_FIELDS = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log-status", "flow-direction",
)  # fmt: skip
_ROW_GROUP = 100_000


def write(simulation: Simulation, folder: Path, *, flow_format: FlowFormat = "parquet") -> dict[str, int]:
    """Write the simulation into `folder`; an earlier simulation there is replaced, anything else is refused.

    The files are made in a folder beside it and appear all at once.

    Returns:
        Rows of each file, by its name.

    Raises:
        LakeError: the folder holds something that is no simulation, or cannot be written.
        ConfigError: `flow_format` is `vpc`, and the flows are what VPC flow logs cannot say: connections, workloads,
            windows that are not whole seconds, or several networks. Or it is `goflow2`, and there are no routers.
    """
    if flow_format == "vpc":
        _check_vpc(simulation)
    if flow_format == "goflow2":
        check_goflow2(simulation)
    return replaced(folder, lambda partial: _write_files(simulation, partial, flow_format))


def replaced(folder: Path, fill: Callable[[Path], dict[str, int]]) -> dict[str, int]:
    """What `fill` returns, having filled a folder that then stands at `folder`, instead of a simulation or nothing.

    Raises:
        LakeError: the folder holds something that is no simulation, or cannot be written.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / SCENARIO_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise LakeError(
            f"cannot write a simulation to {folder}: it holds something else; name a new or an empty folder"
        )
    try:
        with StagedFolder(folder) as staged:
            rows = fill(staged.path)
            staged.put()
    except OSError as error:
        raise LakeError(f"cannot write a simulation to {folder}: {error.strerror or error}") from error
    return rows


def _write_files(simulation: Simulation, folder: Path, flow_format: FlowFormat) -> dict[str, int]:
    writers: dict[FlowFormat, Callable[[Path, Iterable[pa.RecordBatch]], int]] = {
        "parquet": lambda path, batches: write_parquet(path, arrow_schema(FLOW), batches),
        "jsonl": write_jsonl,
        "vpc": _vpc,
        "goflow2": lambda path, batches: _write_goflow2(path, of_routers(batches)),
    }
    as_read: dict[FlowFormat, Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]] = {
        "vpc": lambda truth: map(_as_vpc_says, truth),
        "goflow2": of_routers,
    }
    flows = FLOW_FILES[flow_format]
    rows = {flows: writers[flow_format](folder / flows, simulation.flow_batches())}
    truth = as_read.get(flow_format, iter)(simulation.truth_batches(by_start=True))
    schema = NETWORK_TRUTH if simulation.scenario.networks > 1 else TRUTH
    rows[TRUTH_FILE] = write_parquet(folder / TRUTH_FILE, schema, truth)
    further = []
    if simulation.scenario.pool_services:
        further = [("policies.parquet", simulation.policy_table()), ("socket_rules.parquet", simulation.rule_table())]
    if simulation.scenario.several_observers:
        further = [*further, (TRAFFIC_FILE, simulation.traffic_table())]
    for name, table in (
        (HEARTBEATS_FILE, simulation.heartbeat_table()),
        ("assignments.parquet", simulation.assignment_table()),
        (NAMES_FILE, simulation.name_table()),
        ("labels.parquet", simulation.label_table()),
        (EVENTS_FILE, simulation.event_table()),
        *further,
    ):
        rows[name] = write_parquet(folder / name, table.schema, table.to_batches())
    if simulation.scenario.regions > 1:
        lines = ["prefix,region", *(f"{prefix},{region}" for prefix, region in simulation.region_rows())]
        (folder / REGIONS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows[REGIONS_FILE] = len(lines) - 1
    names = (_SETTINGS if has_further_pools(simulation.scenario) else ()) + (
        ("active_timeout",) if simulation.scenario.exporters else ()
    )
    if names:
        (folder / SETTINGS_FILE).write_text(settings_text(simulation.settings, names), encoding="utf-8")
    write_scenario(folder, simulation.seed, flow_format, simulation.scenario.to_dict(), rows)
    return rows


def settings_text(settings: Settings, names: Iterable[str]) -> str:
    """The settings of these names, which a simulated world decides, as TOML; the others have their defaults."""
    values = written(settings)
    return as_toml("attribution", {name: values[name] for name in names})


def write_scenario(
    folder: Path, seed: int, flow_format: FlowFormat, parameters: Mapping[str, object], rows: dict[str, int]
) -> None:
    """Write what a simulation was made from, and how many rows each of its files has."""
    document = {
        "written_by": __version__,
        "seed": seed,
        "flow_format": flow_format,
        "parameters": parameters,
        "rows": rows,
    }
    (folder / SCENARIO_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches of that schema as one Parquet file; return its rows."""
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROW_GROUP)
            rows += batch.num_rows
    return rows


def write_jsonl(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Native JSON lines; absent values are left out as null, times are ISO 8601."""
    rows = 0
    with pa.OSFile(str(path), "wb") as sink:
        for batch in batches:
            parts: list[str | pa.Array] = []
            for field, column in zip(batch.schema, batch.columns, strict=True):
                parts += [f'{"," if parts else "{"}"{field.name}":', _json_values(column)]
            _write_lines(sink, pc.binary_join_element_wise(*parts, "}", ""))
            rows += batch.num_rows
    return rows


def _json_values(column: pa.Array) -> pa.Array:
    """Text of each value in JSON. Names of a simulation hold nothing that JSON would escape."""
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_string(column.type):
        return pc.binary_join_element_wise('"', column, '"', "").fill_null("null")
    return column.cast(pa.string()).fill_null("null")


def _write_goflow2(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """JSON lines of goflow2, in the order of delivery."""
    rows = 0
    with pa.OSFile(str(path), "wb") as sink:
        for batch in batches:
            _write_lines(sink, goflow2_lines(batch))
            rows += batch.num_rows
    return rows


def _vpc(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """VPC flow log text, gzipped: one line a flow, in the direction of what opened it."""
    rows = 0
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "gzip") as sink:
        sink.write((" ".join(_VPC_FIELDS) + "\n").encode())
        for batch in batches:
            _write_lines(sink, _vpc_lines(batch))
            rows += batch.num_rows
    return rows


def _vpc_lines(batch: pa.RecordBatch) -> pa.Array:
    inward = pc.equal(batch.column("direction"), "ingress")

    def of(inside: str, outside: str) -> pa.Array:
        return pc.if_else(inward, batch.column(inside), batch.column(outside)).cast(pa.string())

    return pc.binary_join_element_wise(
        pa.repeat(pa.scalar("5"), batch.num_rows),
        "123456789010",
        batch.column("observer"),
        of("remote_address", "local_address"),
        of("local_address", "remote_address"),
        of("remote_port", "local_port"),
        of("local_port", "remote_port"),
        batch.column("protocol").cast(pa.string()),
        of("packets_received", "packets_sent"),
        of("bytes_received", "bytes_sent"),
        pc.divide(batch.column("start").cast(pa.int64()), SECOND).cast(pa.string()),
        # The second in which the last packet came: the one before the next window.
        pc.subtract(pc.divide(batch.column("end").cast(pa.int64()), SECOND), 1).cast(pa.string()),
        "ACCEPT",
        "OK",
        batch.column("direction"),
        " ",
    )


def _as_vpc_says(truth: pa.RecordBatch) -> pa.RecordBatch:
    """The truth of windows with the times that the reader of VPC flow logs makes of the seconds in them."""
    shifts = {"start": -REPORT_DELAY, "end": WITHIN_SECOND - SECOND}
    columns = [
        pc.add(column.cast(pa.int64()), shifts[name]).cast(column.type) if name in shifts else column
        for name, column in zip(truth.schema.names, truth.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=truth.schema)


def _write_lines(sink: pa.NativeFile, lines: pa.Array) -> None:
    """Each text with a line end; Arrow keeps the bytes of a text column end to end, so they go out as they are."""
    ended = pc.binary_join_element_wise(lines, "\n", "").cast(pa.large_string())
    _, offsets, data = ended.buffers()
    if data is None:
        return
    first, last = (int.from_bytes(offsets[8 * i : 8 * i + 8].to_pybytes(), "little") for i in (0, len(ended)))
    sink.write(data.slice(first, last - first))


def _check_vpc(simulation: Simulation) -> None:
    seen = simulation.observers
    length = seen.window
    if simulation.scenario.networks > 1:
        raise ConfigError(
            "cannot write these flows as VPC flow logs: such logs have networks of their own; choose --flow-format "
            "parquet or jsonl, or set networks=1"
        )
    if seen.captures.any() or seen.undirected.any() or not length.all() or (length % SECOND).any():
        raise ConfigError(
            "cannot write these flows as VPC flow logs: some hosts log connections, know the local workload, say no "
            "directions, or have windows of broken seconds; set window_share=1, capture_share=0, undirected_share=0 "
            "and windows of whole seconds"
        )
