"""The result of an evaluation: outcomes by system, side, kind and service, and the dependency graphs they imply."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.testbed.evaluate.by_network import NetworkOutcomes
from attribution.testbed.evaluate.names_evaluation import NamesEvaluation
from attribution.testbed.evaluate.outcomes import OURS, Outcome, Outcomes
from attribution.testbed.fleet.world.kinds import KIND_TEXTS


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
        answers: (side, method, reason) -> flows, of the system under evaluation.
        names: the evaluation of hostnames and pools; None if the truth has none.
        networks: outcomes by network; None if the truth has no networks.
    """

    flows: int
    lost: int
    repeated: int
    foreign: int
    services: tuple[str, ...]
    outcomes: dict[str, Outcomes]
    reasons: dict[tuple[str, str, str], int]
    true_edges: frozenset[tuple[int, int]]
    answers: dict[tuple[str, str, str], int]
    names: NamesEvaluation | None = None
    networks: NetworkOutcomes | None = None

    @property
    def misattributed(self) -> int:
        """Sides, local and remote, for which the system under evaluation named a wrong workload or service."""
        ours = self.outcomes[OURS]
        return int(ours.local[Outcome.WRONG] + ours.remote[:, Outcome.WRONG].sum())

    @property
    def coverage(self) -> float:
        """Share of the flows to workloads whose remote side the system under evaluation attributed."""
        return _attributed_share(self.outcomes[OURS].fleet)

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
                    "attributed_share": _attributed_share(fleet),
                    "misattributed_share": _share(int(fleet[Outcome.WRONG]), int(fleet.sum())),
                    "misattributed_outside": int(counts.remote[:, Outcome.WRONG].sum() - fleet[Outcome.WRONG]),
                    "misattributed_local": int(counts.local[Outcome.WRONG]),
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
                | {"attributed_share": _attributed_share(n)}
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
        """Rows of the counts of that name; `more` gives further fields for a system and a service."""
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
            **({"networks": self.networks.rows()} if self.networks else {}),
            **({"names": self.names.to_dict()} if self.names else {}),
        }


def _named(counts: Int64) -> dict[str, object]:
    return {name: int(n) for name, n in zip(Outcomes.NAMES, counts, strict=True)}


def _attributed_share(counts: Int64) -> float:
    """The share of the sides that were given an answer, right or wrong."""
    total = int(counts.sum())
    return _share(total - int(counts[Outcome.UNNAMED]), total)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
