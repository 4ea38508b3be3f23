"""A proof on real logs: what the rules say of remote endpoints, beside what NetObserv itself says of them.

NetObserv names both ends of a flow. Its own node's end it observed; the other end it looked up in an inventory of the
cluster, when it processed the record. Here the remote side of each flow is attributed anew, from the evidence of the
*other* records only: a record's own heartbeats never speak for its own flow. Two witnesses then: where they agree, both
are believed; where they differ, the evidence is printed, for a person to judge.

    python benchmarks/netobserv_proof.py tests/sources/data/netobserv/*.json
    python benchmarks/netobserv_proof.py --clock-tolerance 100ms FILE …
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings, parse_duration
from attribution.core.attributor import Attributor
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.schema import FLOW, HEARTBEAT, arrow_schema
from attribution.sources import registry
from attribution.sources.formats.netobserv.format import FORMATS, claims
from attribution.sources.input.opening import OpenInput
from attribution.sources.records.model import Input, Ledger
from attribution.sources.records.validate import canonical
from attribution.sources.wrapping.recognise import unwrapped

(NETOBSERV,) = FORMATS
#: What can come of a comparison, in the order in which it is printed.
OUTCOMES = {
    "agree": "both name the same workload",
    "differ": "both name one, not the same",
    "only ours": "NetObserv names none",
    "only NetObserv": "the other records leave it open",
    "neither": "nobody names one",
}
_TYPES = ("Pod", "Node", "Service", "none")


@dataclass(frozen=True)
class Compared:
    """One flow's remote side, by both witnesses.

    Attributes:
        place: file and number of the record.
        flow: the attributed flow, from the other records' evidence.
        claim: what NetObserv says: `remote_type`, `remote_workload`, `remote_service`.
        evidence: the other records' heartbeats of the remote address.
    """

    place: tuple[str, int]
    flow: dict[str, Any]
    claim: dict[str, Any]
    evidence: list[dict[str, Any]]

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`. A Service is no workload: its address stands for whichever pod is behind it."""
        ours, theirs = self.flow["remote_workload"], self.claim["remote_workload"]
        if ours and theirs:
            return "agree" if ours == theirs else "differ"
        return "only ours" if ours else "only NetObserv" if theirs else "neither"

    @property
    def seen(self) -> str:
        """What the other records ever show of the address: `nothing`, the claimed workload (`same`), or `other`."""
        names = {beat["workload"] for beat in self.evidence}
        return "nothing" if not names else "same" if names <= {self.claim["remote_workload"]} else "other"


def compare(paths: Iterable[Path], settings: Settings | None = None) -> list[Compared]:
    """Every flow of the files, its remote side attributed from the other records and as NetObserv claims it."""
    paths = list(paths)
    flows, beats = _records(paths)
    ledger = Ledger()
    claimed = {place: claim for path in paths for place, claim in _claims(path, ledger)}
    found = []
    for flow in flows.to_pylist():
        place = (flow.pop("file"), flow.pop("line"))
        others = pc.and_(
            pc.equal(beats.column("address"), flow["remote_address"]),
            pc.invert(pc.and_(pc.equal(beats.column("file"), place[0]), pc.equal(beats.column("line"), place[1]))),
        )
        evidence = beats.filter(others)
        attributor = Attributor(settings or Settings())
        attributor.observe(HEARTBEAT, evidence.select(arrow_schema(HEARTBEAT).names))
        attributed = attributor.attribute(pa.RecordBatch.from_pylist([flow], schema=arrow_schema(FLOW)))
        (row,) = attributed.to_pylist()
        found.append(Compared(place, row, claimed[place], evidence.to_pylist()))
    return found


def _records(paths: list[Path]) -> tuple[Any, Any]:
    """Flows and heartbeats of the files as tables, each row with the file and number of its record."""
    ledger, flows, beats = Ledger(), [], []
    for path in paths:
        with OpenInput(path) as data:
            for block in NETOBSERV.read(_unwrapped(data, ledger), ledger.of(NETOBSERV)):
                batch = canonical(block, ledger.of(NETOBSERV))
                if batch.num_rows != len(block.lines):
                    sys.exit(f"{path} has records that cannot be used; replay it to see why")
                if block.kind != FLOW:
                    beats.append(_placed(batch, HEARTBEAT, path, block.lines))
                    continue
                flows.append(_placed(batch, FLOW, path, block.lines))
                known = batch.column("local_workload").is_valid().to_numpy(zero_copy_only=False)
                own = FlowEvidence(Settings()).heartbeats(batch, NETOBSERV.flow_heartbeats)
                beats.append(_placed(own, HEARTBEAT, path, block.lines[known]))
    if not flows:
        sys.exit("there is no flow in these files")
    return pa.concat_tables(flows), pa.concat_tables(beats)


def _unwrapped(data: OpenInput, ledger: Ledger) -> Input:
    return unwrapped(data, registry.detect(data, NETOBSERV), ledger.of(NETOBSERV))


def _placed(batch: Any, kind: str, path: Path, lines: Any) -> Any:
    table = pa.Table.from_batches([batch]).cast(arrow_schema(kind))
    named = pa.array([path.name] * len(lines), pa.string())
    return table.append_column("file", named).append_column("line", pa.array(lines))


def _claims(path: Path, ledger: Ledger) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    with OpenInput(path) as data:
        for table in claims(_unwrapped(data, ledger), ledger=ledger):
            names = ["line", "remote_type", "remote_workload", "remote_service"]
            for row in table.select(names).to_pylist():
                yield (path.name, row.pop("line")), row


def report(compared: list[Compared]) -> Iterator[str]:
    """The comparison as lines of text."""
    kinds = [found.claim["remote_type"] or "none" for found in compared]
    counts = Counter(zip((found.outcome for found in compared), kinds, strict=True))
    yield f"{len(compared)} flows; the remote end is by NetObserv a Pod, a Node, a Service (no workload), or not known:"
    yield f"{'':<16}{''.join(f'{kind:>9}' for kind in _TYPES)}{'all':>9}"
    for outcome, meaning in OUTCOMES.items():
        row = [counts[outcome, kind] for kind in _TYPES]
        yield f"{outcome:<16}{''.join(f'{count:>9}' for count in row)}{sum(row):>9}   {meaning}"
    left_open = [found for found in compared if found.outcome == "only NetObserv"]
    for reason, count in Counter(found.flow["remote_reason"] for found in left_open).most_common():
        same = sum(found.flow["remote_reason"] == reason and found.seen == "same" for found in left_open)
        yield f"left open as {reason}: {count}; at another time of the capture the address was seen as theirs: {same}"
    disputed = [found for found in compared if found.outcome == "differ" or found.seen == "other"]
    yield f"flows whose remote address any other record shows as another workload's: {len(disputed)}"
    for found in disputed:
        yield from _difference(found)


def _difference(found: Compared) -> Iterator[str]:
    flow = found.flow
    ends = f"{flow['local_address']} and {flow['remote_address']}, {flow['start']} to {flow['end']}"
    yield f"\n{found.place[0]}, record {found.place[1]}: {ends}"
    yield f"  ours:      {flow['remote_workload']} ({flow['remote_reason']})"
    yield f"  NetObserv: {found.claim['remote_workload']} ({found.claim['remote_type']})"
    for beat in found.evidence:
        when = f"{beat['start']} to {beat['end']} ({beat['file']})"
        yield f"  seen:      {beat['workload']} by {beat['observer']}, {when}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--clock-tolerance", default="1s", metavar="DURATION")
    given = parser.parse_args()
    settings = Settings(clock_tolerance=parse_duration(given.clock_tolerance))
    print("\n".join(report(compare(given.files, settings))))


if __name__ == "__main__":
    main()
