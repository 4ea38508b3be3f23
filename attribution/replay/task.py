"""What a replay is asked to do, and what it may use."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from attribution.config import Settings
from attribution.replay.span import Span
from attribution.sources.inputs import Inputs

#: Called with the phase, the rows done in it so far, and the share of it that is done; None if that is not known.
Report = Callable[[str, int, float | None], None]


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


@dataclass(frozen=True, kw_only=True)
class Task:
    """What both passes of a replay are given.

    Attributes:
        inputs: where the input stands.
        folder: folder of the lake that is made.
        settings: the settings of the rules.
        limits: what the run may use.
        flows_are_heartbeats: whether the workloads that flow logs name are evidence.
        span: the flows that are attributed.
        report: called as rows are read and flows are attributed.
    """

    inputs: Inputs
    folder: Path
    settings: Settings
    limits: Limits
    flows_are_heartbeats: bool
    span: Span
    report: Report
