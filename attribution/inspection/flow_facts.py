"""What the flows of all logs hold: when, in which networks, by whom, and which addresses they ask about."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column, Int64
from attribution.core.question import SIDES
from attribution.inspection.busy_times import BusyTimes
from attribution.inspection.distinct import DistinctRows

_DEFAULT = Settings()


class FlowFacts:
    """Collects flows.

    Attributes:
        rows: how many.
        captured: how many of them name their local workload.
        times: their starts and ends.
        places: by side, the addresses with the network in which the flow asks for them.
        observers: who logged them.
        windows: how many have the basis `window`.
        longest_window_us: the longest of these.
        rate_unknown: of how many the device did not say whether it samples.
        exports: how many show no time but that of their export.
        late, early: how many were received so long after their end, or before it, that the default settings judge none.
        latest_us, earliest_us: how long after its end, and before it, a flow was received at the most.
    """

    def __init__(self) -> None:
        self.rows = self.captured = self.windows = self.longest_window_us = 0
        self.rate_unknown = self.exports = self.late = self.early = self.latest_us = self.earliest_us = 0
        self.times = BusyTimes()
        self.places = {side: DistinctRows("address", "network") for side in SIDES}
        self.observers = DistinctRows("observer")

    def add(self, flows: pa.RecordBatch) -> None:
        """Take canonical flows."""
        start, end = microseconds(flows.column("start")), microseconds(flows.column("end"))
        self.rows += flows.num_rows
        self.captured += flows.num_rows - flows.column("local_workload").null_count
        self.times.add(start)
        self.times.add(end)
        view = decoded(flows.column("local_network"))
        for side in SIDES:
            network = pc.coalesce(decoded(flows.column(f"{side}_network")), view)
            self.places[side].add({"address": flows.column(f"{side}_address"), "network": network})
        self.observers.add({"observer": flows.column("observer")})
        basis = decoded(flows.column("basis"))
        window = np.asarray(pc.equal(basis, "window"))
        self.windows += int(window.sum())
        self.longest_window_us = int(np.max((end - start)[window], initial=self.longest_window_us))
        self.exports += pc.sum(pc.equal(basis, "export"), min_count=0).as_py()
        self.rate_unknown += pc.sum(pc.equal(flows.column("sampling_rate"), 0), min_count=0).as_py()
        self._receive(flows.column("received"), end)

    def _receive(self, received: Column, end: Int64) -> None:
        known = received.is_valid().to_numpy(zero_copy_only=False)
        late = microseconds(received.filter(pa.array(known))) - end[known]
        self.late += int(np.count_nonzero(late > _DEFAULT.max_lag))
        self.early += int(np.count_nonzero(late < -_DEFAULT.clock_tolerance))
        self.latest_us = int(np.max(late, initial=self.latest_us))
        self.earliest_us = int(np.max(-late, initial=self.earliest_us))
