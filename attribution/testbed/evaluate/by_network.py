"""Outcomes by how the networks of a flow's two addresses relate, and by which of them the log told."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Int64
from attribution.core.reasons import CLOSED
from attribution.testbed.evaluate.outcomes import OURS, Outcome, Outcomes

#: How the network of the remote address is to that of the local one.
RELATIONS = ("same network", "through a route")
#: Which networks a log told: those of `networks_told`, in the order of a table.
_TOLD = ("both", "local", "remote", "none")


@dataclass
class NetworkOutcomes:
    """Counts of remote sides that are workloads, of a fleet with several networks.

    Attributes:
        outcomes: by system: (relations, told, 3), the last axis an `Outcome`.
        closed: (relations, told, 2) flows that the system under evaluation left open for each reason of `CLOSED`.
    """

    outcomes: dict[str, Int64] = field(default_factory=dict)
    closed: Int64 = field(default_factory=lambda: np.zeros((len(RELATIONS), len(_TOLD), len(CLOSED)), dtype=np.int64))

    def add(self, system: str, truth: pa.Table, fleet: Bool, outcome: Int64) -> None:
        """Count the outcomes of one system; `fleet` says whose remote side is a workload."""
        counts = self.outcomes.setdefault(system, np.zeros((len(RELATIONS), len(_TOLD), len(Outcome)), dtype=np.int64))
        np.add.at(counts, (*_cells(truth, fleet), outcome[fleet]), 1)

    def add_reasons(self, truth: pa.Table, fleet: Bool, reasons: pa.ChunkedArray) -> None:
        """Count the flows that networks leave open, by the system under evaluation."""
        code = pc.index_in(reasons, value_set=pa.array(CLOSED)).fill_null(-1)
        number = np.asarray(code).astype(np.int64)
        closed = fleet & (number >= 0)
        np.add.at(self.closed, (*_cells(truth, closed), number[closed]), 1)

    def rows(self) -> list[dict[str, object]]:
        """One row a relation, what was told, and a system, with its outcomes; of ours also what networks left open."""
        return [row for system in self.outcomes for row in self._rows_of(system)]

    def _rows_of(self, system: str) -> Iterator[dict[str, object]]:
        for i, relation in enumerate(RELATIONS):
            for j, told in enumerate(_TOLD):
                counts = self.outcomes[system][i, j]
                flows = int(counts.sum())
                if not flows:
                    continue
                named = flows - int(counts[Outcome.UNNAMED])
                row: dict[str, object] = {"system": system, "relation": relation, "told": told, "flows": flows}
                row |= {name: int(n) for name, n in zip(Outcomes.NAMES, counts, strict=True)}
                if system == OURS:
                    row |= {name: int(n) for name, n in zip(CLOSED, self.closed[i, j], strict=True)}
                yield row | {"attributed_share": named / flows}


def _cells(truth: pa.Table, chosen: Bool) -> tuple[Int64, Int64]:
    """Relation and what was told of the chosen flows, as numbers."""
    same = pc.equal(truth.column("local_network"), truth.column("remote_network")).fill_null(True)
    relation = np.where(np.asarray(same), 0, 1)
    told = np.asarray(pc.index_in(truth.column("networks_told"), value_set=pa.array(_TOLD))).astype(np.int64)
    return relation[chosen], told[chosen]
