"""The promise over many seeds: simulated fleets, attributed by every runner, held against the truth.

The runners:

- `core`: the rules in memory, all evidence at once;
- `replay`: from files to a lake;
- `slabs`: a replay whose evidence does not fit into memory;
- `job`: the streaming job's stages, with records in the order of their delivery, checkpoints and crashes.

Measures, for each seed and runner: in-fleet flows, the share attributed, what was misattributed on either side, and
flows lost or repeated. Beside these stands the share that event-based attribution gets wrong on the same input.

Exits 1 in these cases:

- anything is misattributed, lost or repeated;
- `core`, `replay` and `slabs` give different answers;
- the coverage of any seed is below `--coverage`.

    python benchmarks/promise.py                                    # 100 seeds of `hostile`, all runners
    python benchmarks/promise.py --runners core --scenario lossless --seeds 20 --coverage 0.99
    python benchmarks/promise.py --seeds 5 --set port_owner_share=0.5 --set silent_share=0.1
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from attribution.config import Settings
from attribution.replay import Limits
from attribution.testbed.evaluate.runners import through_core, through_job, through_replay
from attribution.testbed.fleet.scenarios import PRESETS, scenario
from attribution.testbed.fleet.simulation import simulate

#: Rows of evidence in memory that no history of a simulation keeps to.
FEW = Limits(evidence_rows=1000)
#: The runners that know all evidence before the first flow, and so give the same answers.
ALL_AT_ONCE = ("core", "replay", "slabs")


def core(simulation, settings, _folder):
    return through_core(simulation, settings)


def replay(simulation, settings, folder):
    return through_replay(simulation, settings, folder / "replay")


def slabs(simulation, settings, folder):
    return through_replay(simulation, settings, folder / "slabs", limits=FEW)


def job(simulation, settings, _folder):
    return through_job(simulation, settings, seed=simulation.seed)


RUNNERS = {runner.__name__: runner for runner in (core, replay, slabs, job)}


def results(chosen, seed, settings, runners):
    """The evaluation of one seed by each runner."""
    simulation = simulate(chosen, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        for name in runners:
            yield name, RUNNERS[name](simulation, settings, Path(folder))


def show(seed, name, result):
    ours, latest, held_back = result.systems()
    print(f"{seed:>6} {name:<7} {ours['flows']:>15,} {result.coverage:>11.2%} {result.misattributed:>14} "
          f"{result.lost:>5} {result.repeated:>9} {latest['misattributed_share']:>19.2%} "
          f"{held_back['misattributed_share']:>16.2%}", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scenario", choices=list(PRESETS), default="hostile")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--runners", nargs="+", choices=list(RUNNERS), default=list(RUNNERS))
    parser.add_argument("--coverage", type=float, default=0.0, help="least share of in-fleet flows attributed")
    arguments = parser.parse_args()
    chosen = scenario(arguments.scenario, tuple(arguments.set))
    settings = Settings(clock_tolerance=chosen.clock_tolerance)
    began = time.monotonic()
    unsound, differing, least = [], [], dict.fromkeys(arguments.runners, 1.0)
    flows = latest_wrong = 0
    print(f"{'seed':>6} {'runner':<7} {'in-fleet flows':>15} {'attributed':>11} {'misattributed':>14} {'lost':>5} "
          f"{'repeated':>9} {'latest event wrong':>19} {'held-back wrong':>16}")  # fmt: skip
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        outcomes = {}
        for name, result in results(chosen, seed, settings, arguments.runners):
            show(seed, name, result)
            least[name] = min(least[name], result.coverage)
            if not result.sound:
                unsound.append((seed, name))
            if name in ALL_AT_ONCE:
                outcomes[name] = result.reasons
        if any(found != next(iter(outcomes.values())) for found in outcomes.values()):
            differing.append(seed)
        _, latest, _ = result.systems()
        flows += latest["flows"]
        latest_wrong += latest["misattributed"]
    coverage = ", ".join(f"{share:.2%} by {name}" for name, share in least.items())
    print(f"{arguments.seeds} seeds of {arguments.scenario}: {flows:,} in-fleet flows, least coverage {coverage}, "
          f"latest event wrong on {latest_wrong / max(flows, 1):.2%}, {time.monotonic() - began:.0f} s")  # fmt: skip
    if unsound:
        print(f"misattributed, lost or repeated in (seed, runner) {unsound}")
    if differing:
        print(f"{', '.join(ALL_AT_ONCE)} give different answers in seeds {differing}")
    uncovered = [name for name, share in least.items() if share < arguments.coverage]
    if uncovered:
        print(f"coverage is below {arguments.coverage:.2%} by {', '.join(uncovered)}")
    sys.exit(1 if unsound or differing or uncovered else 0)


if __name__ == "__main__":
    main()
