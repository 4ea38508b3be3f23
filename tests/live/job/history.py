"""Records of all kinds in the order in which they are reported, and the answers that their flows must get."""

import itertools

import numpy as np
import pyarrow as pa
from records import answers

from attribution.config import Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.dictionaries import plain
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, arrow_schema

PERIOD_MS = 30_000
TIME = {HEARTBEAT: "end", ASSIGNMENT: "time", NAME_BINDING: "time", FLOW: "end"}


class History:
    """Records of all kinds, the flows numbered by their observer, and the answers that they must get."""

    def __init__(self, tables, labels, *, span="interval", settings=None):
        self.tables = tables | {FLOW: numbered(tables[FLOW])}
        self.labels, self.span, self.settings = labels, span, settings or Settings()
        flows = self.tables[FLOW].combine_chunks().to_batches()[0]
        attributor = Attributor(self.settings)
        attributor.observe(HEARTBEAT, self.tables[HEARTBEAT])
        attributor.observe_flows(flows, span)
        attributor.observe(ASSIGNMENT, self.tables[ASSIGNMENT])
        attributor.observe(NAME_BINDING, self.tables[NAME_BINDING])
        attributor.observe(LABEL, labels)
        self.expected = answers(plain(attributor.attribute(flows)))

    @classmethod
    def of(cls, simulation, *, span):
        tables = {
            HEARTBEAT: simulation.heartbeat_table(),
            ASSIGNMENT: simulation.assignment_table(),
            NAME_BINDING: simulation.name_table(),
            FLOW: pa.Table.from_batches(list(simulation.flow_batches())).cast(arrow_schema(FLOW)),
        }
        settings = simulation.settings if simulation.scenario.networks > 1 else Settings()
        made = cls(tables, simulation.label_table(), span=span, settings=settings)
        made.truth = numbered(pa.Table.from_batches(list(simulation.truth_batches())))
        return made

    @property
    def times_ms(self):
        return [end_of(kind, table) for kind, table in self.tables.items() if table.num_rows]

    @property
    def latest_ms(self):
        return max(map(max, self.times_ms))

    def in_time(self, rows):
        """Pieces of at most so many rows and half a minute, of all kinds, in the order in which they were reported."""
        pieces = []
        for kind, table in self.tables.items():
            ordered = table.sort_by(TIME[kind])
            period = np.array(end_of(kind, ordered), np.int64) // PERIOD_MS
            cuts = [0, *(np.flatnonzero(np.diff(period)) + 1).tolist(), len(period)]
            for begin, end in itertools.pairwise(cuts):
                pieces += [(kind, ordered.slice(at, min(rows, end - at))) for at in range(begin, end, rows)]
        return sorted(pieces, key=lambda piece: max(end_of(*piece)))


def numbered(flows):
    """Flows, or what is said of them, whose observers are their numbers."""
    numbers = pa.array([str(number) for number in range(flows.num_rows)])
    return flows.set_column(flows.schema.get_field_index("observer"), "observer", numbers)


def end_of(kind, table):
    return [moment // 1000 for moment in table.column(TIME[kind]).cast(pa.int64()).to_pylist()]


def send(job, pieces, *, span="interval"):
    for kind, table in pieces:
        for rows in table.combine_chunks().to_batches():
            job.send(kind, rows, span=span if kind == FLOW else None)


def found(tables):
    """The answer of each flow, in the order of their numbers; every number once."""
    pairs = []
    for table in tables:
        for rows in table.combine_chunks().to_batches():
            pairs += zip(rows.column("observer").to_pylist(), answers(plain(rows)), strict=True)
    assert len(pairs) == len({number for number, _ in pairs})
    return [answer for _, answer in sorted(pairs, key=lambda pair: int(pair[0]))]
