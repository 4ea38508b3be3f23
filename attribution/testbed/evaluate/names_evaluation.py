"""Compares hostnames, pools and services of servers with the truth of a simulation that has names."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.arrays import encode, microseconds
from attribution.core.columnar.types import Bool, Column, Int64, Texts
from attribution.testbed.evaluate.name_baselines import LAST_NAME, LAST_NAME_TOLD, NameLog
from attribution.testbed.evaluate.outcomes import OURS, Outcome
from attribution.testbed.pools.plan import PolicyState

#: What tables call the outcome of an answer about a name, a policy or a service, by the number of the `Outcome`.
OUTCOMES = ("correct", "wrong", "not named")
#: What the connections of a record were opened for.
ONE_NAME, SEVERAL_NAMES, NO_NAME = "one name", "several names", "no name"


@dataclass
class NamesEvaluation:
    """Counts of flows whose server the truth knows.

    Attributes:
        log: the DNS answers that the baselines know; without it there are no baselines.
        flows: flows of the truth that have an attributed row.
        names: (system, what the connections were opened for, outcome) -> flows.
        evidence: (hostname_reason, basis, outcome) -> flows, of the system under evaluation.
        without_truth: flows whose candidates lack a name of the truth, although all answers to the client are logged.
        coalesced: flows that carried requests for more names than their connections were opened for.
        policies: (state of the truth, state that was said, outcome) -> flows; 'correct' has all policies of the truth.
        services: (reason, basis, outcome) -> flows: the service that got the connections.
    """

    log: NameLog | None = None
    flows: int = 0
    names: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    evidence: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    without_truth: int = 0
    coalesced: int = 0
    policies: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    services: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def wrong(self) -> int:
        """Flows to which the system under evaluation gave a wrong name."""
        return sum(n for (system, _, outcome), n in self.names.items() if (system, outcome) == (OURS, "wrong"))

    @property
    def wrong_policies(self) -> int:
        """Flows whose answer lacks a policy of the truth, or has a state that no change of policies nearby explains."""
        return sum(n for (_, _, outcome), n in self.policies.items() if outcome == "wrong")

    @property
    def coverage(self) -> float:
        """Share of the flows that were opened for one name, and are named."""
        mine = {outcome: n for (system, kind, outcome), n in self.names.items() if (system, kind) == (OURS, ONE_NAME)}
        return mine.get("correct", 0) / max(1, sum(mine.values()))

    @property
    def sound(self) -> bool:
        """Whether no name and no policy is wrong, and no set of candidates lacks the truth."""
        return not (self.wrong or self.without_truth or self.wrong_policies)

    def systems(self) -> list[dict[str, object]]:
        """One row a system: the flows that were opened for one name, and all that are named wrongly."""
        rows = []
        for system in dict.fromkeys(system for system, _, _ in self.names):
            counts = {outcome: self.names[system, ONE_NAME, outcome] for outcome in OUTCOMES}
            total = sum(counts.values())
            wrong = sum(self.names[system, kind, "wrong"] for kind in (ONE_NAME, SEVERAL_NAMES, NO_NAME))
            rows.append(
                {
                    "system": system,
                    "flows": total,
                    **{outcome.replace(" ", "_"): n for outcome, n in counts.items()},
                    "correct_share": counts["correct"] / max(1, total),
                    "wrong_share": counts["wrong"] / max(1, total),
                    "wrong_elsewhere": wrong - counts["wrong"],
                }
            )
        return rows

    def by_evidence(self) -> list[dict[str, object]]:
        """One row a `hostname_reason`, basis and outcome, most flows first."""
        return _rows(self.evidence, ("reason", "basis", "outcome"))

    def by_policy_state(self) -> list[dict[str, object]]:
        """One row a state of the truth, state that was said and outcome, most flows first."""
        return _rows(self.policies, ("truth", "said", "outcome"))

    def by_service(self) -> list[dict[str, object]]:
        """One row a reason, basis and outcome of the servers' services, most flows first."""
        return _rows(self.services, ("reason", "basis", "outcome"))

    def to_dict(self) -> dict[str, object]:
        """Everything, as JSON-ready values."""
        return {
            "flows": self.flows,
            "coverage": self.coverage,
            "wrong": self.wrong,
            "without_truth": self.without_truth,
            "wrong_policies": self.wrong_policies,
            "coalesced": self.coalesced,
            "systems": self.systems(),
            "evidence": self.by_evidence(),
            "policies": self.by_policy_state(),
            "services": self.by_service(),
        }

    def add(self, truth: pa.Table, answers: pa.Table) -> None:
        """Count the flows of one slice.

        Args:
            truth: rows of `attribution.testbed.pools.tables.AGILITY_TRUTH`.
            answers: what was said of each of these flows; a null `basis` if its row was lost.
        """
        there = answers.column("basis").is_valid()
        truth, answers = truth.filter(there), answers.filter(there)
        self.flows += truth.num_rows
        if not truth.num_rows:
            return
        served = {name: _of_server(truth, answers, name) for name in ("service", "reason", "policy", "policy_state")}
        self._add_names(truth, answers)
        self._add_policies(truth, served["policy"], served["policy_state"])
        right = _of_server(truth, truth, "service")
        _count(self.services, served["reason"], answers.column("basis"), _outcome(served["service"], right))

    def _add_names(self, truth: pa.Table, answers: pa.Table) -> None:
        right, reason = truth.column("hostname"), answers.column("hostname_reason")
        several = pc.fill_null(pc.match_substring(right, " "), False)
        kind = pc.if_else(right.is_null(), NO_NAME, pc.if_else(several, SEVERAL_NAMES, ONE_NAME))
        mine = _of_server(truth, answers, "hostname")
        other = pc.if_else(pc.equal(truth.column("server_side"), "local"), *_columns(answers, "hostname")[::-1])
        outcome = np.where(_mask(other.is_valid()), Outcome.WRONG, _outcome(mine, right))
        system = pa.array([OURS] * truth.num_rows)
        _count(self.names, system, kind, outcome)
        _count(self.evidence, reason, answers.column("basis"), outcome)
        self.without_truth += _lacking(truth, answers)
        carried = pc.greater(truth.column("names_carried"), pc.add(pc.count_substring(right, " "), 1))
        self.coalesced += int(pc.sum(carried).as_py() or 0)
        if self.log is None:
            return
        window = _mask(pc.equal(answers.column("basis"), "window"))
        moment = np.where(window, microseconds(truth.column("end")), microseconds(truth.column("start")))
        server, client = _of_server(truth, truth, "address"), _of_client(truth, "address")
        recorded = pc.fill_null(pc.equal(reason, "recorded"), False)
        for name, said in (
            (LAST_NAME, self.log.last_for_address(server, moment)),
            (LAST_NAME_TOLD, self.log.last_for_client(client, server, moment)),
        ):
            # What the record itself carries stands.
            outcome = _outcome(pc.if_else(recorded, mine, said), right)
            _count(self.names, pa.array([name] * truth.num_rows), kind, outcome)

    def _add_policies(self, truth: pa.Table, policy: Texts, state: Texts) -> None:
        """Count what was said of policies.

        A `PolicyState` before the true one is right: the policy changed within the asked interval. A later one is not.
        """
        states = pa.array([state.text for state in PolicyState if state is not PolicyState.NEVER])
        true_state, said_state = truth.column("policy_state"), state
        rank = [np.asarray(pc.fill_null(pc.index_in(one, states), len(states))) for one in (true_state, said_state)]
        has_all = _has_all(truth.column("policy"), policy)
        outcome = np.where(rank[1] == len(states), Outcome.UNNAMED, Outcome.WRONG)
        outcome[(rank[1] == rank[0]) & has_all] = Outcome.CORRECT
        outcome[rank[1] < rank[0]] = Outcome.CORRECT
        _count(self.policies, true_state, said_state, outcome)


def _columns(table: pa.Table, name: str) -> list[pa.ChunkedArray]:
    return [table.column(f"{side}_{name}") for side in ("local", "remote")]


def _of_server(truth: pa.Table, table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of the server's side of each flow."""
    return pc.if_else(pc.equal(truth.column("server_side"), "local"), *_columns(table, name))


def _of_client(truth: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(truth.column("server_side"), "remote"), *_columns(truth, name))


def _mask(column: Column) -> Bool:
    found: Bool = np.asarray(column).astype(np.bool_)
    return found


def _outcome(said: Texts, right: Texts) -> Int64:
    """The `Outcome` of what was said, row by row."""
    same = pc.fill_null(pc.equal(said, right), False)
    return np.where(_mask(said.is_null()), Outcome.UNNAMED, np.where(_mask(same), Outcome.CORRECT, Outcome.WRONG))


def _count(counter: Counter[tuple[str, str, str]], one: Texts, other: Texts, outcome: Int64) -> None:
    """Add the number of rows of each (text, text, outcome); null is 'none'."""
    (first, firsts), (second, seconds) = (encode(pc.fill_null(column, "none")) for column in (one, other))
    code = (first.astype(np.int64) * len(seconds) + second) * len(OUTCOMES) + outcome
    for number, count in zip(*(part.tolist() for part in np.unique(code, return_counts=True)), strict=True):
        pair, result = divmod(number, len(OUTCOMES))
        names = firsts[pair // len(seconds)].as_py(), seconds[pair % len(seconds)].as_py()
        counter[(*names, OUTCOMES[result])] += count


def _pairs(one: Texts, other: Texts) -> Iterator[tuple[str, str, Bool]]:
    """Each distinct pair of texts of two columns, and the rows that have it; null is the empty text."""
    (first, firsts), (second, seconds) = (encode(pc.fill_null(column, "")) for column in (one, other))
    code = first.astype(np.int64) * len(seconds) + second
    distinct, place = np.unique(code, return_inverse=True)
    for number, pair in enumerate(distinct.tolist()):
        yield firsts[pair // len(seconds)].as_py(), seconds[pair % len(seconds)].as_py(), place == number


def _has_all(right: Texts, said: Texts) -> Bool:
    """Whether the second list of each pair has every text of the first; a list is text with commas."""
    found = np.zeros(len(right), np.bool_)
    for true, claimed, rows in _pairs(right, said):
        found[rows] = set(true.split(",")) <= set(claimed.split(","))
    return found


def _lacking(truth: pa.Table, answers: pa.Table) -> int:
    """Number of unnamed flows whose candidates lack a name of the truth, although all answers are known."""
    reason = answers.column("hostname_reason")
    listed = pc.or_(answers.column("hostname_candidates").is_valid(), pc.equal(reason, "untold"))
    open_ = pc.is_in(reason, value_set=pa.array(["several", "incomplete", "untold"]))
    asked = pc.and_(pc.and_(truth.column("answers_known"), truth.column("hostname").is_valid()), pc.and_(listed, open_))
    names, candidates = (
        table.column(name).filter(pc.fill_null(asked, False)).combine_chunks().to_pylist()
        for table, name in ((truth, "hostname"), (answers, "hostname_candidates"))
    )
    return sum(
        not set(name.split()) <= set((those or "").split()) for name, those in zip(names, candidates, strict=True)
    )


def _rows(counter: Counter[tuple[str, str, str]], names: tuple[str, str, str]) -> list[dict[str, object]]:
    found = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [dict(zip(names, key, strict=True)) | {"flows": count} for key, count in found]
