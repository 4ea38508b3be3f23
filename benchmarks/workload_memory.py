"""What `workload_memory` costs: addresses go from workloads to load balancers and back, and events are lost.

For each time that a silent address stays a workload's, three shares are measured. They are flows to workloads that an
old event misnamed, flows to load balancers that nobody named, and flows to load balancers that are named wrongly.

    python benchmarks/workload_memory.py --seeds 10
"""

import argparse
from collections import Counter

import pyarrow as pa
from promise import attributed

from attribution.config import HOUR, MINUTE, Settings, format_duration
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.evaluate import evaluate_slices
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

SCENARIO = (
    "duration=2h", "services=30", "connections=30000", "load_balancers=12", "load_balancer_lifetime=10m",
    "balancers_among_workloads=1", "external_share=0.3", "silent_share=0.1", "ipv6_share=0", "port_owner_share=0",
)  # fmt: skip
MEMORIES = (4 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 24 * HOUR)


def shares(simulation, settings):
    """Flows to workloads and to load balancers by what became of them."""
    truth = pa.Table.from_batches(list(simulation.truth_batches()))
    result = evaluate_slices([align(truth, attributed(simulation, settings))], log=None, variants=())
    counts = Counter()
    for row in result.kinds():
        side, kind = row["side"], row["kind"]
        if side == "remote":
            for outcome in ("correct", "misattributed", "unattributed"):
                counts["balancer" if kind == "load_balancer" else kind, outcome] += row[outcome]
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--loss", type=float, default=0.05, help="share of assignment events that are lost")
    arguments = parser.parse_args()
    chosen = scenario("hostile", (*SCENARIO, f"assignment_loss={arguments.loss}"))
    totals = {memory: Counter() for memory in MEMORIES}
    for seed in range(arguments.seeds):
        simulation = simulate(chosen, seed=seed)
        for memory in MEMORIES:
            settings = Settings(clock_tolerance=chosen.clock_tolerance, workload_memory=memory)
            totals[memory] += shares(simulation, settings)
    print(f"{arguments.seeds} seeds, {arguments.loss:.0%} of assignment events lost")
    print(f"{'memory':>8} {'workloads misnamed':>19} {'unnamed':>9} {'balancers misnamed':>19} {'unnamed':>9}")
    for memory, counts in totals.items():
        cells = []
        for kind in ("workload", "balancer"):
            whole = sum(number for (of, _), number in counts.items() if of == kind)
            cells += [counts[kind, outcome] / max(whole, 1) for outcome in ("misattributed", "unattributed")]
        print(f"{format_duration(memory):>8} {cells[0]:>19.3%} {cells[1]:>9.1%} {cells[2]:>19.2%} {cells[3]:>9.1%}")


if __name__ == "__main__":
    main()
