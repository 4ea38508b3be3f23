"""The result of an evaluation: outcomes by system, side, kind and service, and the dependency graphs they imply."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.testbed.evaluate.names_evaluation import NamesEvaluation
from attribution.testbed.fleet.kinds import KIND_TEXTS, OURS, Kind

#: Kinds of remote endpoint that are workloads of the fleet.
FLEET_KINDS = (Kind.WORKLOAD, Kind.PORT_OWNER, Kind.TRANSLATED)


def _grown(counts: Int64, rows: int) -> Int64:
    return counts if len(counts) >= rows else np.r_[counts, np.zeros((rows - len(counts), 3), dtype=np.int64)]


@dataclass
class Outcomes:
    """Counts of one system; the last axis is correct, misattributed, unattributed.

    Attributes:
        local: (3,) outcomes of the local sides.
        remote: (kinds, 3) outcomes of the remote sides by the truth's kind.
        by_server: (services, 3) outcomes of remote sides inside the fleet, by the truth's remote service.
        by_client: the same by the truth's local service.
        claimed: edges (local service, remote service) that the system claims, as numbers of services.
    """

    NAMES: ClassVar[tuple[str, str, str]] = ("correct", "misattributed", "unattributed")

    local: Int64 = field(default_factory=lambda: np.zeros(3, dtype=np.int64))
    remote: Int64 = field(default_factory=lambda: np.zeros((len(KIND_TEXTS), 3), dtype=np.int64))
    by_server: Int64 = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    by_client: Int64 = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    claimed: set[tuple[int, int]] = field(default_factory=set)

    def add_side(self, side: str, kind: Int64, outcome: Int64) -> None:
        """Count the outcomes of one side of some flows, by the kind of their remote side."""
        if side == "local":
            self.local = self.local + np.bincount(outcome, minlength=3)
        else:
            cells = len(KIND_TEXTS) * 3
            self.remote = self.remote + np.bincount(kind * 3 + outcome, minlength=cells).reshape(-1, 3)

    def add_services(self, client: Int64, server: Int64, outcome: Int64) -> None:
        """Count the outcomes of remote sides by client and by server; services are numbers, -1 for none."""
        for name, service in (("by_client", client), ("by_server", server)):
            named = service >= 0
            cells = np.bincount(service[named] * 3 + outcome[named])
            added = np.r_[cells, np.zeros(-len(cells) % 3, dtype=np.int64)].reshape(-1, 3)
            counts = _grown(getattr(self, name), len(added))
            counts[: len(added)] += added
            setattr(self, name, counts)

    @property
    def fleet(self) -> Int64:
        """(3,) outcomes of the remote sides that are workloads."""
        return np.asarray(self.remote[list(FLEET_KINDS)].sum(axis=0))


@dataclass(frozen=True)
class Evaluation:
    """How right each system was.

    Attributes:
        flows: flows of the truth.
        lost: flows without an attributed row; must be 0.
        repeated: attributed rows beyond the first of a flow; must be 0.
        foreign: attributed rows of flows that the truth does not know; must be 0.
        services: names of services; counts and edges refer to them by position.
        outcomes: by system: `OURS`, then the baselines.
        reasons: (side, reason, outcome) -> flows, of the system under evaluation; of the remote side inside the fleet.
        true_edges: the dependency graph of the truth.
        names: how right hostnames and pools are; None where the truth has none.
    """

    flows: int
    lost: int
    repeated: int
    foreign: int
    services: tuple[str, ...]
    outcomes: dict[str, Outcomes]
    reasons: dict[tuple[str, str, str], int]
    true_edges: frozenset[tuple[int, int]]
    names: NamesEvaluation | None = None

    @property
    def misattributed(self) -> int:
        """Sides, local and remote, for which the system under evaluation named a wrong workload or service."""
        ours = self.outcomes[OURS]
        return int(ours.local[1] + ours.remote[:, 1].sum())

    @property
    def coverage(self) -> float:
        """Share of the flows to workloads whose remote side the system under evaluation attributed."""
        return _share(int(self.outcomes[OURS].fleet[:2].sum()), int(self.outcomes[OURS].fleet.sum()))

    @property
    def sound(self) -> bool:
        """Whether nothing was misattributed or misnamed, lost, repeated or made up."""
        named = self.names is None or self.names.sound
        return named and not (self.misattributed or self.lost or self.repeated or self.foreign)

    def systems(self) -> list[dict[str, object]]:
        """One row a system: outcomes of flows to workloads, misattributed others, and the dependency graph."""
        rows = []
        for name, counts in self.outcomes.items():
            fleet = counts.fleet
            rows.append(
                {
                    "system": name,
                    "flows": int(fleet.sum()),
                    **{key: int(n) for key, n in zip(Outcomes.NAMES, fleet, strict=True)},
                    "attributed_share": _share(int(fleet[:2].sum()), int(fleet.sum())),
                    "misattributed_share": _share(int(fleet[1]), int(fleet.sum())),
                    "misattributed_outside": int(counts.remote[:, 1].sum() - fleet[1]),
                    "misattributed_local": int(counts.local[1]),
                    **self.edges(name),
                }
            )
        return rows

    def edges(self, system: str, *, client: str | None = None) -> dict[str, object]:
        """Edges that a system claims, of all services or of one client: how many are false, how many are missing."""
        number = None if client is None else self.services.index(client)
        claimed = {e for e in self.outcomes[system].claimed if number is None or e[0] == number}
        true = {e for e in self.true_edges if number is None or e[0] == number}
        return {
            "edges_true": len(true),
            "edges_claimed": len(claimed),
            "edges_false": len(claimed - true),
            "edges_missing": len(true - claimed),
            "edges_false_share": _share(len(claimed - true), len(claimed)),
        }

    def kinds(self) -> list[dict[str, object]]:
        """One row a system, side and kind of endpoint."""
        rows = []
        for name, counts in self.outcomes.items():
            sides = [("local", "workload", counts.local)]
            sides += [("remote", kind, counts.remote[i]) for i, kind in enumerate(KIND_TEXTS)]
            rows += [
                {"system": name, "side": side, "kind": kind, "flows": int(n.sum()), **_named(n)}
                | {"attributed_share": _share(int(n[:2].sum()), int(n.sum()))}
                for side, kind, n in sides
                if n.sum()
            ]
        return rows

    def by_service(self) -> list[dict[str, object]]:
        """One row a service of the truth's remote side, most flows first, with each system's outcomes."""
        return self._by("by_server", "service", lambda _system, _service: {})

    def by_client(self) -> list[dict[str, object]]:
        """One row a service of the truth's local side, most flows first: outcomes of what it calls, and its edges."""
        return self._by("by_client", "client", lambda system, client: self.edges(system, client=client))

    def _by(self, counts: str, label: str, more: Callable[[str, str], dict[str, object]]) -> list[dict[str, object]]:
        """Rows of the counts of that name; `more` gives what a row says besides of a system and a service."""
        total = getattr(self.outcomes[OURS], counts).sum(axis=1)
        rows = []
        for i in sorted(np.flatnonzero(total).tolist(), key=lambda i: (-total[i], self.services[i])):
            service = self.services[i]
            systems = {
                name: _named(getattr(one, counts)[i]) | more(name, service) for name, one in self.outcomes.items()
            }
            rows.append({label: service, "flows": int(total[i]), "systems": systems})
        return rows

    def by_reason(self) -> list[dict[str, object]]:
        """One row a side, reason and outcome of the system under evaluation, most flows first."""
        found = sorted(self.reasons.items(), key=lambda item: (item[0][0], -item[1], item[0]))
        return [{"side": s, "reason": r, "outcome": o, "flows": n} for (s, r, o), n in found]

    def to_dict(self) -> dict[str, object]:
        """Everything, as JSON-ready values."""
        return {
            "flows": self.flows,
            "lost": self.lost,
            "repeated": self.repeated,
            "foreign": self.foreign,
            "misattributed": self.misattributed,
            "coverage": self.coverage,
            "systems": self.systems(),
            "kinds": self.kinds(),
            "reasons": self.by_reason(),
            "services": self.by_service(),
            "clients": self.by_client(),
            **({"names": self.names.to_dict()} if self.names else {}),
        }


def _named(counts: Int64) -> dict[str, object]:
    return {name: int(n) for name, n in zip(Outcomes.NAMES, counts, strict=True)}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
