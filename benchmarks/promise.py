"""The promise over many seeds: simulated fleets, attributed in memory, held against the truth.

Measures, for each seed: in-fleet flows, the share attributed, what was misattributed on either side, and flows lost or
repeated. Beside these stands the share that event-based attribution gets wrong on the same input. Exits 1 where
anything is misattributed, lost or repeated, or where the coverage of any seed is below `--coverage`.

    python benchmarks/promise.py                                    # 100 seeds of `hostile`
    python benchmarks/promise.py --scenario lossless --seeds 20 --coverage 0.99
    python benchmarks/promise.py --scenario hostile --set port_owner_share=0.5 --set silent_share=0.1
"""

import argparse
import sys
import time

import pyarrow as pa

from attribution.config import Settings
from attribution.core.attributor import Attributor
from attribution.core.ownership.flow_heartbeats import flow_heartbeats
from attribution.schema import ASSIGNMENT, HEARTBEAT, LABEL, NAME_BINDING
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.baselines import EventLog, baselines
from attribution.testbed.evaluate.evaluate import evaluate_slices
from attribution.testbed.fleet.scenarios import PRESETS, scenario
from attribution.testbed.fleet.simulation import simulate


def attributed(simulation, settings):
    """Everything that the simulation's logs say, through the rules."""
    attributor = Attributor(settings)
    attributor.observe(HEARTBEAT, simulation.heartbeat_table())
    for batch in simulation.flow_batches():
        attributor.observe(HEARTBEAT, flow_heartbeats(batch))
    attributor.observe(ASSIGNMENT, simulation.assignment_table())
    attributor.observe(NAME_BINDING, simulation.name_table())
    attributor.observe(LABEL, simulation.label_table())
    return pa.concat_tables(plain(attributor.attribute(batch)) for batch in simulation.flow_batches())


def plain(batch):
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.table(columns, names=batch.schema.names)


def run(chosen, seed, settings):
    """The evaluation of one seed."""
    simulation = simulate(chosen, seed=seed)
    truth = pa.Table.from_batches(list(simulation.truth_batches()))
    part = align(truth, attributed(simulation, settings))
    return evaluate_slices([part], log=EventLog(simulation.event_table()), variants=baselines())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scenario", choices=list(PRESETS), default="hostile")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--coverage", type=float, default=0.0, help="least share of in-fleet flows attributed")
    arguments = parser.parse_args()
    chosen = scenario(arguments.scenario, tuple(arguments.set))
    settings = Settings(clock_tolerance=chosen.clock_tolerance)
    began = time.monotonic()
    unsound, least, flows, latest_wrong = [], 1.0, 0, 0
    print(f"{'seed':>6} {'in-fleet flows':>15} {'attributed':>11} {'misattributed':>14} {'lost':>5} {'repeated':>9} "
          f"{'latest event wrong':>19} {'held-back wrong':>16}")  # fmt: skip
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        result = run(chosen, seed, settings)
        ours, latest, held_back = result.systems()
        print(f"{seed:>6} {ours['flows']:>15,} {result.coverage:>11.2%} {result.misattributed:>14} {result.lost:>5} "
              f"{result.repeated:>9} {latest['misattributed_share']:>19.2%} {held_back['misattributed_share']:>16.2%}",
              flush=True)  # fmt: skip
        flows += ours["flows"]
        latest_wrong += latest["misattributed"]
        least = min(least, result.coverage)
        if not result.sound:
            unsound.append(seed)
    print(f"{arguments.seeds} seeds of {arguments.scenario}: {flows:,} in-fleet flows, least coverage {least:.2%}, "
          f"latest event wrong on {latest_wrong / max(flows, 1):.2%}, {time.monotonic() - began:.0f} s")  # fmt: skip
    if unsound:
        print(f"misattributed, lost or repeated in seeds {unsound}")
    if least < arguments.coverage:
        print(f"coverage {least:.2%} is below {arguments.coverage:.2%}")
    sys.exit(1 if unsound or least < arguments.coverage else 0)


if __name__ == "__main__":
    main()
