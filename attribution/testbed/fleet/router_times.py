"""The times of what routers report: by clocks that are late, or of the export only, as collectors show them."""

from dataclasses import replace

import numpy as np

from attribution.config import SECOND
from attribution.core.columnar.types import Int64
from attribution.testbed.fleet.traffic import Flows, Observers

#: Longest time from the end of a late router's window until the collector has it, and that from an export.
_HELD_BACK, _UNDERWAY = 2 * SECOND, 50_000


def by_late_clocks(rows: Flows, observers: Observers) -> Flows:
    """What routers saw, by their own clocks."""
    late = observers.late_by[rows.host]
    return replace(rows, start=rows.start - late, end=rows.end - late)


def received_late(flows: Flows, observers: Observers, rng: np.random.Generator) -> Flows:
    """Flows with the time at which those of late routers were received, by the true clock."""
    late = observers.late_by[flows.host]
    held_back = rng.integers(0, _HELD_BACK, endpoint=True, size=len(flows))
    return replace(flows, received=np.where(late > 0, flows.end + late + held_back, flows.received))


def exported(pieces: Flows, timeout: int, rng: np.random.Generator) -> Flows:
    """Windows of exporters as records that show the second of their export, as the reader of goflow2 widens it.

    Args:
        pieces: windows of at most half of the timeout.
        timeout: longest time from the first packet of a window to its record.
        rng: for when they are exported.
    """
    moment = pieces.end + rng.integers(0, timeout // 2, endpoint=True, size=len(pieces))
    second = moment // SECOND * SECOND
    received = moment + rng.integers(0, _UNDERWAY, endpoint=True, size=len(pieces))
    end = np.minimum(received, second + SECOND - 1)
    return replace(pieces, start=second, end=end, window=np.zeros(len(pieces), np.bool_), received=received)


def delivery(flows: Flows, report_delay: int, rng: np.random.Generator) -> Int64:
    """When each flow is delivered: when its collector received it, or some time after its end."""
    delivered = flows.end + rng.integers(0, report_delay, endpoint=True, size=len(flows))
    return np.where(flows.received >= 0, flows.received, delivered)
