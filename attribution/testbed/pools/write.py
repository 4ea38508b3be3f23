"""Writes a simulation of addressing agility as a folder: what `replay` and `evaluate` read, and the scenario."""

from pathlib import Path

from attribution.errors import ConfigError
from attribution.schema import FLOW, arrow_schema
from attribution.testbed.fleet.write import (
    FLOW_FILES,
    SETTINGS_FILE,
    TRUTH_FILE,
    FlowFormat,
    replaced,
    settings_text,
    write_jsonl,
    write_parquet,
    write_scenario,
)
from attribution.testbed.pools.simulation import AgilitySimulation
from attribution.testbed.pools.tables import AGILITY_TRUTH

_SETTINGS = (
    "clock_tolerance", "name_stretch", "connection_lifetime", "pool_prefixes", "named_prefixes", "shared_resolvers",
)  # fmt: skip


def write_agility(
    simulation: AgilitySimulation, folder: Path, *, flow_format: FlowFormat = "parquet"
) -> dict[str, int]:
    """Write the simulation into `folder`, as `attribution.testbed.fleet.write.write` does.

    Returns:
        Rows of each file, by its name.

    Raises:
        LakeError: the folder holds something that is no simulation, or cannot be written.
        ConfigError: `flow_format` is `vpc` or `goflow2`: such logs have no data centres, names and connections.
    """
    if flow_format in ("vpc", "goflow2"):
        raise ConfigError(
            f"cannot write these flows in the format {flow_format}: they have data centres, names and single "
            "connections, which such logs cannot say; choose --flow-format parquet or jsonl"
        )
    return replaced(folder, lambda partial: _write_files(simulation, partial, flow_format))


def _write_files(simulation: AgilitySimulation, folder: Path, flow_format: FlowFormat) -> dict[str, int]:
    flows, truth = simulation.flow_table(), simulation.truth_table(by_start=True)
    name = FLOW_FILES[flow_format]
    batches = flows.to_batches()
    written = (
        write_jsonl(folder / name, batches)
        if flow_format == "jsonl"
        else write_parquet(folder / name, arrow_schema(FLOW), batches)
    )
    rows = {name: written, TRUTH_FILE: write_parquet(folder / TRUTH_FILE, AGILITY_TRUTH, truth.to_batches())}
    for kind, table in simulation.tables():
        file = f"{kind}.parquet"
        rows[file] = write_parquet(folder / file, table.schema, table.to_batches())
    (folder / SETTINGS_FILE).write_text(settings_text(simulation.settings, _SETTINGS), encoding="utf-8")
    write_scenario(folder, simulation.seed, flow_format, simulation.scenario.to_dict(), rows)
    return rows
