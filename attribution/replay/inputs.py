"""What a replay is given: where its input stands, and what it may use."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Where the input stands: paths, folders, globs or `-` for standard input, each kind by itself.

    Attributes:
        flows: flow logs; evidence that stands among them (DNS logs, leases, endpoints) is used too.
        heartbeats: more heartbeats; of flow logs, the heartbeats that their flows are.
        assignments: assignment events.
        name_bindings: DNS answers.
        labels: prefixes with names.
        policies: policies, whose prefixes become `pool_prefixes`; socket rules that stand among them are used too.
        socket_rules: socket rules.
        format: read everything as this format instead of recognising it by content.
    """

    flows: Sequence[str | Path]
    heartbeats: Sequence[str | Path] = ()
    assignments: Sequence[str | Path] = ()
    name_bindings: Sequence[str | Path] = ()
    labels: Sequence[str | Path] = ()
    policies: Sequence[str | Path] = ()
    socket_rules: Sequence[str | Path] = ()
    format: str | None = None


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
