"""What it costs to ask another region about a flow, and what it would cost to send every range to every region.

    python benchmarks/regions.py [--connections 60000]

A simulated fleet gives the bytes on the wire of a question, an answer and an ownership range, in messages of the sizes
given. It also gives the bytes of state of a flow that waits at home, of a flow that waits at the peer, and of a range.
Worked out from these: the share of crossing flows at which sending ranges to all others becomes cheaper.

A range that reaches a peer only when it is over comes too late for the flows that it would attribute. So sending ranges
means a row for every workload that lives, once in a heartbeat's period, to every other region.
"""

import argparse

import pyarrow as pa

from attribution.config import Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.dictionaries import plain
from attribution.schema import (
    ANSWER,
    ASSIGNMENT,
    ATTRIBUTED_FLOW,
    FLOW,
    HEARTBEAT,
    LABEL,
    OWNERSHIP_RANGE,
    QUESTION,
    arrow_schema,
)
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.buckets.payload import pack_rows
from attribution.stream.regions.open_questions import OpenQuestions, answers_of
from attribution.stream.wire import codec
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

SIZES = (100, 1000, 8000)
REGIONS = (2, 3, 5, 10)
FLOWS_A_PERIOD = (1, 10, 100, 1000)


def on_the_wire(kind, batch, rows):
    """Bytes of a row in messages of so many rows."""
    pieces = [batch.slice(at, rows) for at in range(0, batch.num_rows - rows + 1, rows)]
    return sum(len(m.value) for piece in pieces for m in codec.encode(kind, piece)) / sum(p.num_rows for p in pieces)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=60_000)
    made = simulate(scenario("day", (f"connections={parser.parse_args().connections}", "duration=1h")), seed=1)
    settings = Settings()
    flows = pa.concat_tables(
        pa.Table.from_batches([plain(batch)]).cast(arrow_schema(FLOW)) for batch in made.flow_batches()
    ).combine_chunks().to_batches()[0]  # fmt: skip
    knowing = Attributor(settings)
    knowing.observe(HEARTBEAT, made.heartbeat_table())
    knowing.observe(ASSIGNMENT, made.assignment_table())
    knowing.observe(LABEL, made.label_table())
    attributed = plain(knowing.attribute(flows)).cast(arrow_schema(ATTRIBUTED_FLOW))
    ranges = plain(knowing.ownership_ranges())

    entry, questions = OpenQuestions().ask("peer", attributed, 0)
    numbered = attributed
    for name in ("question", "row"):
        numbered = numbered.append_column(name, questions.column(name))
    answers = answers_of(numbered)
    bytes_of = {}
    print(f"{flows.num_rows:,} flows, {ranges.num_rows:,} ranges\n")
    print("bytes on the wire, in messages of " + "".join(f"{size:>8,}" for size in SIZES))
    for kind, batch in ((QUESTION, questions), (ANSWER, answers), (OWNERSHIP_RANGE, ranges)):
        found = [on_the_wire(kind, batch, min(size, batch.num_rows)) for size in SIZES]
        bytes_of[kind] = found[1]
        print(f"  {kind:32}" + "".join(f"{value:>8.0f}" for value in found))

    at_peer = Bucket(settings, sides="remote", labels=arrow_schema(LABEL).empty_table())
    columns = {field.name: pa.nulls(flows.num_rows, field.type) for field in arrow_schema(FLOW)}
    columns |= dict(zip(questions.schema.names, questions.columns, strict=True))
    asked = pa.record_batch(list(columns.values()), names=list(columns))
    for at in range(0, asked.num_rows, 1000):
        at_peer.take(pack_rows(FLOW, asked.slice(at, 1000)), 0)
    compact = Attributor(settings)
    spans = pa.table({name: ranges.column(name) for name in ("address", "port", "protocol", "workload", "service",
                                                             "start", "end")})  # fmt: skip
    compact.observe(HEARTBEAT, spans.append_column("observer", pa.nulls(ranges.num_rows, pa.string())))
    state = {
        "a flow that waits at home": len(entry) / flows.num_rows,
        "a question that waits at the peer": at_peer.log_bytes / flows.num_rows,
        "a range": len(compact.snapshot()) / ranges.num_rows,
    }
    print("\nbytes of state")
    for name, value in state.items():
        print(f"  {name:40}{value:>8.0f}")

    asking = bytes_of[QUESTION] + bytes_of[ANSWER]
    print(f"\nA crossing flow costs {asking:.0f} bytes. Sending ranges costs as much as asking where so many cross,")
    print("by flows that a workload has in a heartbeat's period, and regions:\n")
    print("  flows " + "".join(f"{count:>10}" for count in REGIONS))
    for per_period in FLOWS_A_PERIOD:
        shares = [bytes_of[OWNERSHIP_RANGE] * (count - 1) / (per_period * asking) for count in REGIONS]
        print(
            f"  {per_period:>5} " + "".join(f"{share:>10.1%}" if share <= 1 else f"{'never':>10}" for share in shares)
        )


if __name__ == "__main__":
    main()
