"""The promise over many seeds: simulated fleets, attributed by every runner, held against the truth.

The runners:

- `core`: the rules in memory, all evidence at once;
- `replay`: from files to a lake;
- `slabs`: a replay whose evidence does not fit into memory;
- `job`: the streaming job's stages, with records in the order of their delivery, checkpoints and crashes.

Measures, for each seed and runner: in-fleet flows, the share attributed, what was misattributed on either side, and
flows lost or repeated. Beside these stands the share that event-based attribution gets wrong on the same input.

A fleet of several networks is also made without overlap, from the same seed, and goes through the rules in memory.
`apart` is the share attributed there.

At the end stand the baselines over all seeds, and how often each method and reason was met.

Exits 1 in these cases:

- anything is misattributed, lost or repeated;
- `core`, `replay` and `slabs` give different answers;
- the coverage of any seed is below `--coverage`;
- over all seeds, overlap costs more than a point of the share attributed in memory;
- a method or a reason was met less often than `--each`.

    python benchmarks/promise.py                                    # 100 seeds of `hostile`, all runners
    python benchmarks/promise.py --runners core --scenario lossless --seeds 20 --coverage 0.99
    python benchmarks/promise.py --seeds 5 --set port_owner_share=0.5 --set silent_share=0.1

Several networks:

    python benchmarks/promise.py --set networks=3 --set overlap=0.8 --set crossing_share=0.15 --set services=24
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from attribution.config import parse_duration
from attribution.core.reasons import METHOD_OF
from attribution.replay import Limits
from attribution.testbed.evaluate.runners import through_core, through_job, through_replay
from attribution.testbed.fleet.scenarios import PRESETS, scenario
from attribution.testbed.fleet.simulation import simulate

#: Rows of evidence in memory that no history of a simulation keeps to.
FEW = Limits(evidence_rows=1000)
#: The runners that know all evidence before the first flow, and so give the same answers.
ALL_AT_ONCE = ("core", "replay", "slabs")
#: Share of in-fleet flows that overlap may cost.
POINT = 0.01
#: Only a job of several regions asks another region.
NOT_HERE = {"region_silent"}


def core(simulation, settings, _folder):
    return through_core(simulation, settings)


def replay(simulation, settings, folder):
    return through_replay(simulation, settings, folder / "replay")


def slabs(simulation, settings, folder):
    return through_replay(simulation, settings, folder / "slabs", limits=FEW)


def job(simulation, settings, _folder):
    return through_job(simulation, settings, seed=simulation.seed)


RUNNERS = {runner.__name__: runner for runner in (core, replay, slabs, job)}


def settings_for(simulation, retention):
    """What is true of the fleet; evidence counts for `retention`, or as long as it does by default."""
    settings = simulation.settings
    return replace(settings, retention=retention, workload_memory=retention) if retention else settings


def results(chosen, seed, arguments):
    """The evaluation of one seed by each runner."""
    simulation = simulate(chosen, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.runners:
            yield name, RUNNERS[name](simulation, settings_for(simulation, arguments.retention), Path(folder))


def without_overlap(chosen, seed, arguments):
    """The evaluation of the same fleet in memory, if no two networks use one address; None if there is one network."""
    if chosen.networks == 1:
        return None
    simulation = simulate(replace(chosen, overlap=0.0), seed=seed)
    return through_core(simulation, settings_for(simulation, arguments.retention))


def show(seed, name, result, apart):
    ours, latest, held_back = result.systems()[:3]
    print(f"{seed:>6} {name:<7} {ours['flows']:>15,} {result.coverage:>11.2%} {result.misattributed:>14} "
          f"{result.lost:>5} {result.repeated:>9} {latest['misattributed_share']:>19.2%} "
          f"{held_back['misattributed_share']:>16.2%}" + (f" {apart.coverage:>7.2%}" if apart else ""),
          flush=True)  # fmt: skip


class Totals:
    """What all seeds come to, of one runner."""

    def __init__(self):
        self.systems, self.answers, self.flows, self.least = {}, Counter(), 0, 1.0

    def add(self, result):
        self.flows += result.flows
        self.least = min(self.least, result.coverage)
        for (_, method, reason), flows in result.answers.items():
            self.answers[method, reason] += flows
        for row in result.systems():
            counts = self.systems.setdefault(row["system"], Counter())
            counts.update({key: row[key] for key in ("flows", "correct", "misattributed", "unattributed")})

    def coverage(self):
        ours = next(iter(self.systems.values()))
        return 1 - ours["unattributed"] / ours["flows"]

    def rare(self, least):
        """The methods and reasons that were met less often."""
        methods, reasons = Counter(), Counter()
        for (method, reason), flows in self.answers.items():
            methods[method] += flows
            reasons[reason] += flows
        expected = [(methods, name) for name in set(METHOD_OF.values())]
        expected += [(reasons, name) for name in METHOD_OF if name not in NOT_HERE]
        return sorted(name for counts, name in expected if counts[name] < least)

    def show(self):
        print(f"\n{'system':<30} {'in-fleet flows':>15} {'attributed':>11} {'wrong':>8}")
        for name, counts in self.systems.items():
            share, wrong = (counts[key] / max(counts["flows"], 1) for key in ("unattributed", "misattributed"))
            print(f"{name:<30} {counts['flows']:>15,} {1 - share:>11.2%} {wrong:>8.2%}")
        print(f"\n{'method':<12} {'reason':<18} {'sides':>12}")
        for (method, reason), flows in sorted(self.answers.items(), key=lambda item: -item[1]):
            print(f"{method:<12} {reason:<18} {flows:>12,}")
        print()


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--scenario", choices=list(PRESETS), default="hostile")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--runners", nargs="+", choices=list(RUNNERS), default=list(RUNNERS))
    parser.add_argument("--coverage", type=float, default=0.0, help="least share of in-fleet flows attributed")
    parser.add_argument("--retention", type=parse_duration, help="how long evidence counts, 24h by default")
    parser.add_argument("--each", type=int, default=0, help="how often each method and reason must be met")
    return parser.parse_args()


def measured(chosen, arguments, totals, apart_totals):
    """Measure all seeds into the totals; what went wrong, as sentences."""
    unsound, differing = [], []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        outcomes = {}
        apart = without_overlap(chosen, seed, arguments)
        if apart:
            apart_totals.add(apart)
            if not apart.sound:
                unsound.append((seed, "without overlap"))
        for name, result in results(chosen, seed, arguments):
            show(seed, name, result, apart)
            totals[name].add(result)
            if not result.sound:
                unsound.append((seed, name))
            if name in ALL_AT_ONCE:
                outcomes[name] = result.answers
        if any(found != next(iter(outcomes.values())) for found in outcomes.values()):
            differing.append(seed)
    faults = [f"misattributed, lost or repeated in (seed, runner) {unsound}"] if unsound else []
    return faults + ([f"{', '.join(ALL_AT_ONCE)} give different answers in seeds {differing}"] if differing else [])


def main():
    arguments = arguments_of()
    chosen = scenario(arguments.scenario, tuple(arguments.set))
    began = time.monotonic()
    totals, apart_totals = {name: Totals() for name in arguments.runners}, Totals()
    print(f"{'seed':>6} {'runner':<7} {'in-fleet flows':>15} {'attributed':>11} {'misattributed':>14} {'lost':>5} "
          f"{'repeated':>9} {'latest event wrong':>19} {'held-back wrong':>16}"
          + (f" {'apart':>7}" if chosen.networks > 1 else ""))  # fmt: skip
    faults = measured(chosen, arguments, totals, apart_totals)
    first = totals[arguments.runners[0]]
    first.show()
    coverage = ", ".join(
        f"{total.coverage():.2%} by {name} (least {total.least:.2%})" for name, total in totals.items()
    )
    print(f"{arguments.seeds} seeds of {arguments.scenario}: {first.flows:,} flows, coverage {coverage}, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    faults += [
        f"coverage of a seed is below {arguments.coverage:.2%} by {name}"
        for name, total in totals.items()
        if total.least < arguments.coverage
    ]
    if chosen.networks > 1:
        print(f"without overlap: {apart_totals.flows:,} flows, coverage {apart_totals.coverage():.2%}")
        faults += [
            f"overlap costs more than a point of coverage by {name}"
            for name, total in totals.items()
            if name in ALL_AT_ONCE and total.coverage() < apart_totals.coverage() - POINT
        ]
    if rare := first.rare(arguments.each):
        faults.append(f"met less than {arguments.each} times: {', '.join(rare)}")
    print("\n".join(faults) or "kept")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
