"""What a replay may use."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may use and put up with.

    Attributes:
        rejected_share: share of rejected rows above which the run stops.
        evidence_rows: rows of heartbeats and name bindings in memory; beyond, the history is cut into slabs of time.
        flow_bytes: bytes of flows that are put aside in memory; beyond, they go to disk beside the lake.
        workers: threads that attribute and write.
    """

    rejected_share: float = 0.1
    evidence_rows: int = 2_000_000
    flow_bytes: int = 256 << 20
    workers: int = field(default_factory=lambda: min(8, os.cpu_count() or 1))
