"""What the flows of all logs hold: when, in which networks, by whom, and which addresses they ask about."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.dictionaries import decoded
from attribution.core.question import SIDES
from attribution.inspection.busy_times import BusyTimes
from attribution.inspection.distinct import DistinctRows


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
    """

    def __init__(self) -> None:
        self.rows = self.captured = self.windows = self.longest_window_us = 0
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
        window = np.asarray(pc.equal(decoded(flows.column("basis")), "window"))
        self.windows += int(window.sum())
        self.longest_window_us = int(np.max((end - start)[window], initial=self.longest_window_us))
