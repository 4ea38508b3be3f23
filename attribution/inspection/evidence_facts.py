"""What the evidence of all logs holds: by kind, how much of it, about which addresses, of whom, and when."""

from dataclasses import dataclass, field

import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.types import Column
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence, FlowHeartbeats
from attribution.inspection.busy_times import BusyTimes
from attribution.inspection.distinct import DistinctRows
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE

#: What is said of a kind: the field with the place that it is about, and the field with what it says is there.
_SUBJECT = {
    HEARTBEAT: ("address", "workload"),
    ASSIGNMENT: ("address", "owner"),
    NAME_BINDING: ("server_address", "hostname"),
    LABEL: ("prefix", "service"),
    POLICY: ("prefix", "policy"),
    SOCKET_RULE: ("prefix", "rule"),
}
#: Evidence that may name a workload or another owner of a single address.
NAMING = (FLOW, HEARTBEAT, ASSIGNMENT)
#: Evidence of whole prefixes.
OF_PREFIXES = (LABEL, POLICY, SOCKET_RULE)


@dataclass
class EvidenceOfKind:
    """Evidence of one kind.

    Attributes:
        rows: how many records.
        sightings: who or what was said to be at which address or prefix of which network, and when.
        names: workloads, owners, hostnames, services or rules.
        times: starts and ends; of configuration none.
    """

    rows: int = 0
    sightings: DistinctRows = field(default_factory=lambda: DistinctRows("address", "network", "name"))
    names: DistinctRows = field(default_factory=lambda: DistinctRows("name"))
    times: BusyTimes = field(default_factory=BusyTimes)

    @property
    def addresses(self) -> int:
        """How many addresses or prefixes there are, each counted in each of its networks; or about how many."""
        return distinct(self.sightings.table(), "address", "network").num_rows * self.sightings.scale


class EvidenceFacts:
    """Collects evidence.

    Attributes:
        kinds: kind of record -> what there is of it; of `flow` the heartbeats that flows are.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, EvidenceOfKind] = {}
        self._of_flows = FlowEvidence(Settings())

    def add(self, kind: str, batch: pa.RecordBatch, *, of_flows: bool = False) -> None:
        """Take canonical records of a kind; `of_flows` if they are heartbeats of the workloads that flows name."""
        if not batch.num_rows:
            return
        found = self.kinds.setdefault(FLOW if of_flows else kind, EvidenceOfKind())
        place, name = _SUBJECT[kind]
        columns = {"address": batch.column(place), "network": batch.column("network"), "name": batch.column(name)}
        found.rows += batch.num_rows
        found.names.add(columns)
        times = None if kind in OF_PREFIXES else _times(batch)
        found.sightings.add(columns, times)
        for moments in times or ():
            found.times.add(moments.to_numpy())

    def add_flows(self, flows: pa.RecordBatch, span: FlowHeartbeats) -> None:
        """Take the heartbeats that canonical flows are."""
        self.add(HEARTBEAT, self._of_flows.heartbeats(flows, span), of_flows=True)

    def places(self, scale: int) -> pa.Table:
        """The addresses of which evidence may name the owner, each with its network, as of `DistinctRows.table`."""
        tables = [self.kinds[kind].sightings.table(scale) for kind in NAMING if kind in self.kinds]
        found = pa.concat_tables(tables) if tables else DistinctRows("address", "network").table()
        return distinct(found, "address", "network")

    @property
    def scale(self) -> int:
        """The largest scale of the sets that `places` puts together."""
        return max([self.kinds[kind].sightings.scale for kind in NAMING if kind in self.kinds], default=1)

    @property
    def names_owners(self) -> bool:
        """Whether some of it may name the owner of an address."""
        return any(kind in self.kinds for kind in NAMING)

    def prefixes(self) -> PrefixTable:
        """The prefixes of labels, policies and socket rules, whatever their network."""
        tables = [self.kinds[kind].sightings.table() for kind in OF_PREFIXES if kind in self.kinds]
        distinct = pa.concat_tables(tables).column("address").unique().to_pylist() if tables else []
        return PrefixTable.of_prefixes(distinct)

    def span(self) -> tuple[int, int] | None:
        """From when to when there are heartbeats, those of flows among them, microseconds; None without any."""
        times = [self.kinds[kind].times for kind in (FLOW, HEARTBEAT) if kind in self.kinds]
        first = [one.first for one in times if one.first is not None]
        last = [one.last for one in times if one.last is not None]
        return (min(first), max(last)) if first and last else None


def distinct(table: pa.Table, *names: str) -> pa.Table:
    """The distinct rows of some columns."""
    return table.select(list(names)).group_by(list(names), use_threads=False).aggregate([])


def _times(batch: pa.RecordBatch) -> tuple[Column, Column]:
    """Start and end of each record, microseconds."""
    names = ("time", "time") if "time" in batch.schema.names else ("start", "end")
    start, end = (pa.array(microseconds(batch.column(name))) for name in names)
    return start, end
