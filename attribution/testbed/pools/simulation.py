"""Simulates addressing agility: a scenario and a seed give DNS answers, flows, policies, rules and the truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import order_by
from attribution.core.columnar.types import Int64
from attribution.testbed.pools import tables
from attribution.testbed.pools.flows import Records, make_records
from attribution.testbed.pools.plan import POOL_SPACE, POOL_SPACE_SIZE, Plan, make_plan
from attribution.testbed.pools.scenario import AgilityScenario
from attribution.testbed.pools.traffic import Answers, Connections, make_traffic
from attribution.testbed.pools.world import TWIN, World, make_world


@dataclass(frozen=True)
class AgilitySimulation:
    """A simulation: numbers inside, and canonical Arrow tables from its methods.

    Row i of `flow_table()` and row i of `truth_table()` are about the same flow.
    """

    scenario: AgilityScenario
    seed: int
    world: World
    plan: Plan
    answers: Answers
    connections: Connections
    records: Records
    answer_delay: Int64

    @property
    def settings(self) -> Settings:
        """The settings of attribution that are right for this world."""
        prefixes = tables.network_prefixes(self.world)
        spaces = (POOL_SPACE, TWIN + POOL_SPACE)
        return Settings(
            clock_tolerance=self.scenario.clock_tolerance,
            name_stretch=self.scenario.name_stretch,
            connection_lifetime=self.scenario.connection_lifetime,
            pool_prefixes=tuple(tables.prefix_text(first, POOL_SPACE_SIZE) for first in spaces),
            named_prefixes=tuple(p for p, named in zip(prefixes, self.world.named.tolist(), strict=True) if named),
            shared_resolvers=tuple(tables.resolver_texts(self.world)),
        )

    def flow_table(self) -> pa.Table:
        """The flows (`schemas/flow.avsc`), in the order of delivery."""
        return tables.flow_table(tables.WorldTexts(self.world), self.connections, self.records)

    def truth_table(self, *, by_start: bool = False) -> pa.Table:
        """The truth of each flow (`tables.AGILITY_TRUTH`), in the order of the flows or by start."""
        texts = tables.WorldTexts(self.world)
        truth = tables.truth_table(texts, self.plan, self.connections, self.records)
        return truth.take(order_by(self.records.start)) if by_start else truth

    def name_table(self) -> pa.Table:
        """The DNS answers that were logged (`schemas/name_binding.avsc`), in the order of delivery."""
        return tables.name_table(tables.WorldTexts(self.world), self.answers, delay=self.answer_delay)

    @property
    def names_received(self) -> Int64:
        """When each row of `name_table()` was delivered, microseconds, without any clock's error."""
        return np.sort((self.answers.time + self.answer_delay)[self.answers.logged])

    def policy_table(self) -> pa.Table:
        """The policies (`schemas/policy.avsc`)."""
        return tables.policy_table(self.plan.policies)

    def rule_table(self) -> pa.Table:
        """The socket rules (`schemas/socket_rule.avsc`)."""
        return tables.rule_table(self.plan.rules)

    def arrivals(self, *, step: int) -> Iterator[tuple[int, pa.Table, pa.Table]]:
        """Moment, name bindings and flows of each `step` microseconds, as they were delivered before that moment.

        No flow or answer that ended `report_delay` before the moment comes later, by clocks without any error.
        """
        names, flows = self.name_table(), self.flow_table()
        told, received = self.names_received, self.records.received
        both = np.r_[told, received]
        for begin in range(int(both.min()), int(both.max()) + 1, step) if len(both) else ():
            parts = []
            for table, times in ((names, told), (flows, received)):
                first, last = np.searchsorted(times, [begin, begin + step])
                parts.append(table.slice(first, last - first))
            yield begin + step, parts[0], parts[1]

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Name and table of the evidence: name bindings, policies and socket rules."""
        yield "name_bindings", self.name_table()
        yield "policies", self.policy_table()
        yield "socket_rules", self.rule_table()


def simulate_agility(scenario: AgilityScenario, *, seed: int) -> AgilitySimulation:
    """The simulation of a scenario: the same for the same scenario, seed and version of numpy.

    Each part draws from a generator of its own, so that a parameter of the logs does not change what happens.
    """
    rng = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(4)]
    world = make_world(scenario, rng[0])
    plan = make_plan(scenario)
    answers, connections = make_traffic(scenario, world, plan, rng[1])
    return AgilitySimulation(
        scenario=scenario,
        seed=seed,
        world=world,
        plan=plan,
        answers=answers,
        connections=connections,
        records=make_records(scenario, world, connections, rng[2]),
        answer_delay=rng[3].integers(0, scenario.report_delay, endpoint=True, size=len(answers.time)),
    )
