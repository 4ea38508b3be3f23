"""Names on pools of addresses over many seeds: simulated, replayed, and held against the truth.

Prints for each seed: flows, the share that is named, and how many names, policies and services are wrong, and how many
candidate sets lack the name. Beside these stand the shares that two baselines get wrong on the same input: the last
name seen for the address, and the last name told to the client. At the end stands what each kind of evidence settled.
Exits 1 where a name, a set, a policy or a service is wrong, or a flow lost or repeated.

    python benchmarks/names.py                             # 20 seeds, files through `attribution.replay`
    python benchmarks/names.py --seeds 3 --set requests=200000
    python benchmarks/names.py --stream                    # as they arrive, through an `Attributor`
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from attribution.config import MINUTE
from attribution.core.attributor import Attributor
from attribution.replay import Inputs, replay
from attribution.schema import NAME_BINDING, POLICY, SOCKET_RULE
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.evaluate import evaluate, evaluate_slices
from attribution.testbed.evaluate.name_baselines import NameLog
from attribution.testbed.pools.scenario import agility_scenario
from attribution.testbed.pools.simulation import simulate_agility
from attribution.testbed.pools.write import write_agility


def replayed(simulation):
    """The evaluation of what a replay of the simulation's files says."""
    with tempfile.TemporaryDirectory() as name:
        folder, lake = Path(name) / "names", Path(name) / "lake"
        write_agility(simulation, folder)
        inputs = Inputs(
            flows=[folder / "flows.parquet"],
            name_bindings=[folder / "name_bindings.parquet"],
            policies=[folder / "policies.parquet"],
            socket_rules=[folder / "socket_rules.parquet"],
        )
        replay(inputs, lake, settings=simulation.settings)
        return evaluate(lake, folder / "truth.parquet", names=folder / "name_bindings.parquet")


def streamed(simulation):
    """The same of an `Attributor` that is given the flows and answers as they arrive, a minute at a time."""
    attributor = Attributor(simulation.settings)
    attributor.observe(POLICY, simulation.policy_table())
    attributor.observe(SOCKET_RULE, simulation.rule_table())
    out = []
    for until, names, flows in simulation.arrivals(step=MINUTE):
        attributor.observe(NAME_BINDING, names)
        for batch in flows.combine_chunks().to_batches():
            attributor.hold(batch)
        # All that was reported up to then has arrived, but for the slowest report and the clocks' errors.
        reported = until - simulation.scenario.report_delay - simulation.scenario.clock_tolerance
        out += attributor.advance(reported).attributed
    out += attributor.give_up(1)
    answers = pa.concat_tables(plain(batch) for batch in out)
    log = NameLog(simulation.name_table(), simulation.settings.clients_of_resolvers)
    return evaluate_slices([align(simulation.truth_table(), answers)], log=None, variants=(), names=lambda: log)


def plain(batch):
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.table(columns, names=batch.schema.names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--stream", action="store_true", help="as they arrive, through an Attributor")
    arguments = parser.parse_args()
    chosen = agility_scenario(tuple(arguments.set))
    began = time.monotonic()
    unsound, evidence, wrong = [], Counter(), Counter()
    print(f"{'seed':>6} {'flows':>9} {'named':>8} {'wrong':>6} {'lacking':>8} {'policies':>9} {'services':>9} "
          f"{'last name seen wrong':>21} {'last told wrong':>16}")  # fmt: skip
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        simulation = simulate_agility(chosen, seed=seed)
        result = (streamed if arguments.stream else replayed)(simulation)
        names = result.names
        ours, *others = names.systems()
        print(f"{seed:>6} {result.flows:>9,} {names.coverage:>8.2%} {names.wrong:>6} {names.without_truth:>8} "
              f"{names.wrong_policies:>9} {result.misattributed:>9} {others[0]['wrong_share']:>21.2%} "
              f"{others[1]['wrong_share']:>16.2%}", flush=True)  # fmt: skip
        wrong.update({row["system"]: row["wrong"] + row["wrong_elsewhere"] for row in (ours, *others)})
        for (reason, _, outcome), count in names.evidence.items():
            evidence[reason, outcome] += count
        if not result.sound:
            unsound.append(seed)
    total = sum(evidence.values())
    print(f"{arguments.seeds} seeds: {total:,} flows, {time.monotonic() - began:.0f} s")
    for (reason, outcome), count in evidence.most_common():
        print(f"  {reason:<12} {outcome:<10} {count:>11,} {count / total:>8.2%}")
    for system, count in wrong.items():
        print(f"  named wrongly by {system}: {count:,} ({count / total:.2%})")
    if unsound:
        print(f"wrong, lost or repeated in seeds {unsound}")
    sys.exit(1 if unsound else 0)


if __name__ == "__main__":
    main()
