"""Endpoints that are no workload: assignment events, then labels, and never inside the workload space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution.config import Settings
from attribution.core.assignments import ASSIGNED, CHANGED, AssignmentIndex
from attribution.core.columns import Int32, encode
from attribution.core.index import Question
from attribution.core.prefixes import PrefixTable
from attribution.core.reasons import CODES


@dataclass
class Found:
    """What the fallback says to each question.

    Attributes:
        owner: number into `Fallback.owners`, -1 where there is none.
        service: number into `Fallback.services`, -1 where there is none.
        reason: code of `silent`, `assigned`, `assignment_change`, `prefix` or `unknown`.
    """

    owner: Int32
    service: Int32
    reason: npt.NDArray[np.uint8]


class Fallback:
    """Answers questions about addresses without evidence.

    Attributes:
        owners: Arrow text, the owners named by assignment events.
        services: Arrow text, the services named by assignment events, then those named by labels.
    """

    def __init__(self, assignments: Any, labels: Any, settings: Settings) -> None:
        """Digest canonical tables of `schemas/assignment.avsc` and `schemas/label.avsc`."""
        self._workloads = PrefixTable.of_prefixes(settings.workload_prefixes + settings.translated_prefixes)
        self._assignments = AssignmentIndex(assignments)
        self._labels = PrefixTable(labels)
        named, names = encode(labels.column("service"))
        self._label_service = np.append(named, np.int32(-1)) + np.int32(len(self._assignments.services))
        self.owners = self._assignments.owners
        self.services = pa.concat_arrays([self._assignments.services, names])

    def ask(self, address: Any, socket: Int32, question: Question) -> Found:
        """What is known of each (address, socket) that no heartbeat ever named.

        Args:
            address: text column.
            socket: as of `asked_sockets`.
            question: the asked intervals.
        """
        assigned = self._assignments.ask(address, socket, question.a, question.b)
        label = self._labels.match(address)
        owned, labelled = assigned.state == ASSIGNED, label >= 0
        service = np.where(owned, assigned.service, np.where(labelled, self._label_service[label], -1))
        reason = np.where(labelled, np.uint8(CODES["prefix"]), np.uint8(CODES["unknown"]))
        reason[owned] = CODES["assigned"]
        owner = assigned.owner
        changed = assigned.state == CHANGED
        reason[changed] = CODES["assignment_change"]
        silent = self._workloads.contains(address)
        reason[silent] = CODES["silent"]
        nothing = changed | silent
        return Found(np.where(nothing, -1, owner), np.where(nothing, -1, service).astype(np.int32), reason)
