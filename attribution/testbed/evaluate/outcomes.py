"""The outcome of an answer, and counts of outcomes by side, kind of endpoint, and service."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Int64, Texts
from attribution.testbed.fleet.world.kinds import KIND_TEXTS, Kind

#: The system under evaluation, as tables show it; baselines stand beside it by their names.
OURS = "time ranges"


class Outcome(IntEnum):
    """How an answer compares with the truth."""

    #: All that it names is right.
    CORRECT = 0
    #: Something that it names is not right.
    WRONG = 1
    #: It names nothing.
    UNNAMED = 2


_OUTCOMES = len(Outcome)
#: Kinds of remote endpoint that are workloads of the fleet.
FLEET_KINDS = (Kind.WORKLOAD, Kind.PORT_OWNER, Kind.TRANSLATED, Kind.NODE_PORT)


def _grown(counts: Int64, rows: int) -> Int64:
    return counts if len(counts) >= rows else np.r_[counts, np.zeros((rows - len(counts), _OUTCOMES), dtype=np.int64)]


@dataclass
class Outcomes:
    """Counts of one system; the last axis is an `Outcome`.

    Attributes:
        local: (3,) outcomes of the local sides.
        remote: (kinds, 3) outcomes of the remote sides by the truth's kind.
        by_server: (services, 3) outcomes of remote sides inside the fleet, by the truth's remote service.
        by_client: the same by the truth's local service.
        claimed: edges (local service, remote service) that the system claims, as numbers of services.
    """

    NAMES: ClassVar[tuple[str, str, str]] = ("correct", "misattributed", "unattributed")

    local: Int64 = field(default_factory=lambda: np.zeros(_OUTCOMES, dtype=np.int64))
    remote: Int64 = field(default_factory=lambda: np.zeros((len(KIND_TEXTS), _OUTCOMES), dtype=np.int64))
    by_server: Int64 = field(default_factory=lambda: np.zeros((0, _OUTCOMES), dtype=np.int64))
    by_client: Int64 = field(default_factory=lambda: np.zeros((0, _OUTCOMES), dtype=np.int64))
    claimed: set[tuple[int, int]] = field(default_factory=set)

    def add_side(self, side: str, kind: Int64, outcome: Int64) -> None:
        """Count the outcomes of one side of some flows, by the kind of their remote side."""
        if side == "local":
            self.local = self.local + np.bincount(outcome, minlength=_OUTCOMES)
        else:
            cells = len(KIND_TEXTS) * _OUTCOMES
            self.remote = self.remote + np.bincount(kind * _OUTCOMES + outcome, minlength=cells).reshape(-1, _OUTCOMES)

    def add_services(self, client: Int64, server: Int64, outcome: Int64) -> None:
        """Count the outcomes of remote sides by client and by server; services are numbers, -1 for none."""
        for name, service in (("by_client", client), ("by_server", server)):
            named = service >= 0
            cells = np.bincount(service[named] * _OUTCOMES + outcome[named])
            added = np.r_[cells, np.zeros(-len(cells) % _OUTCOMES, dtype=np.int64)].reshape(-1, _OUTCOMES)
            counts = _grown(getattr(self, name), len(added))
            counts[: len(added)] += added
            setattr(self, name, counts)

    @property
    def fleet(self) -> Int64:
        """(3,) outcomes of the remote sides that are workloads."""
        return np.asarray(self.remote[list(FLEET_KINDS)].sum(axis=0))


def judge(truth: pa.Table, side: str, workload: Texts, service: Texts) -> Int64:
    """The `Outcome` of each flow's answer about one side.

    An answer without a workload is right if its service is right, as of a labelled prefix. An answer without a service
    is right if its workload is right.
    """
    right_workload = pc.equal(workload, truth.column(f"{side}_workload")).fill_null(False)
    right_service = pc.equal(service, truth.column(f"{side}_service")).fill_null(False)
    wrong = pc.or_(
        pc.and_(workload.is_valid(), pc.invert(right_workload)), pc.and_(service.is_valid(), pc.invert(right_service))
    )
    named = pc.or_(workload.is_valid(), service.is_valid())
    return np.asarray(pc.if_else(named, wrong.cast(pa.int64()), Outcome.UNNAMED.value)).astype(np.int64)
