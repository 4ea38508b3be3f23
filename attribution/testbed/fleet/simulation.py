"""The simulation: a scenario and a seed give a fleet, its traffic, what is known about it, and the truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.types import Int64
from attribution.testbed.fleet import evidence_tables, tables
from attribution.testbed.fleet.evidence import (
    Events,
    Heartbeats,
    Names,
    make_assignments,
    make_events,
    make_heartbeats,
    make_names,
)
from attribution.testbed.fleet.handed_out import make_rules, policy_table, rule_table
from attribution.testbed.fleet.networks import Told, settings_of, tell
from attribution.testbed.fleet.reports import delivered, make_flows
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.sockets import with_sockets
from attribution.testbed.fleet.texts import FleetTexts
from attribution.testbed.fleet.traffic import (
    Connections,
    Flows,
    Observers,
    Volumes,
    make_connections,
    make_observers,
)
from attribution.testbed.fleet.translation import Sessions, make_sessions, translate
from attribution.testbed.fleet.world.fleet import Fleet, make_fleet

#: Rows of one batch of flows.
BATCH_ROWS = 500_000


@dataclass(frozen=True)
class Simulation:
    """All that a simulation made; numbers inside, canonical Arrow tables by its methods.

    Row i of `flow_batches()` and row i of `truth_batches()` speak of the same flow, if no flow is delivered twice.
    """

    scenario: Scenario
    seed: int
    fleet: Fleet
    observers: Observers
    flows: Flows
    heartbeats: Heartbeats
    events: Events
    assignments: Events
    names: Names
    sessions: Sessions
    told: Told
    connections: Connections
    volumes: Volumes
    delivered: Int64
    rules: Int64

    @property
    def settings(self) -> Settings:
        """The settings that are true of this fleet, for its attribution."""
        return settings_of(self.scenario)

    def flow_batches(self, *, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The flows as canonical record batches (`schemas/flow.avsc`), in the order of delivery, repeats among them."""
        names = FleetTexts(self.fleet)
        for begin in range(0, len(self.delivered), rows):
            part = self.delivered[begin : begin + rows]
            batch = tables.flow_batch(names, self.flows.rows(part), self.observers)
            batch = tables.with_networks(batch, names, self.flows.rows(part), self.told.rows(part))
            yield tables.with_identity(batch, part) if self.scenario.repeated_share else batch

    def truth_batches(self, *, rows: int = BATCH_ROWS, by_start: bool = False) -> Iterator[pa.RecordBatch]:
        """The truth of each flow (`tables.TRUTH`), in the order of the flows or by start."""
        names = FleetTexts(self.fleet)
        order = np.argsort(self.flows.start, kind="stable") if by_start else np.arange(len(self.flows))
        for begin in range(0, len(self.flows), rows):
            part = order[begin : begin + rows]
            batch = tables.truth_batch(names, self.flows.rows(part))
            if self.scenario.networks > 1:
                batch = tables.with_true_networks(batch, names, self.flows.rows(part), self.told.rows(part))
            yield batch

    def heartbeat_table(self) -> pa.Table:
        """The explicit heartbeats (`schemas/heartbeat.avsc`), in the order of delivery."""
        return evidence_tables.heartbeat_table(FleetTexts(self.fleet), self.heartbeats, self.told.heartbeats)

    def assignment_table(self) -> pa.Table:
        """Assignment events (`schemas/assignment.avsc`) of the endpoints that are no workload."""
        return evidence_tables.assignment_table(FleetTexts(self.fleet), self.assignments, self.told.assignments)

    def event_table(self) -> pa.Table:
        """The events of everything, workloads and translators' sessions included: what an event-based system would get.

        They have the time at which they were `received`, and are in the order of it.
        """
        texts = FleetTexts(self.fleet)
        events = evidence_tables.event_table(texts, self.events)
        if not len(self.sessions.time):
            return events
        both = pa.concat_tables([events, evidence_tables.session_table(texts, self.sessions)])
        return both.take(pa.array(np.argsort(microseconds(both.column("received")), kind="stable")))

    def name_table(self) -> pa.Table:
        """DNS answers (`schemas/name_binding.avsc`)."""
        return evidence_tables.name_table(FleetTexts(self.fleet), self.names, self.flows, self.told.names)

    def policy_table(self) -> pa.Table:
        """The policies that hand addresses out (`schemas/policy.avsc`)."""
        return policy_table(self.scenario)

    def rule_table(self) -> pa.Table:
        """The socket rules of handed-out addresses (`schemas/socket_rule.avsc`)."""
        return rule_table(self.fleet, self.rules)

    def traffic_table(self) -> pa.Table:
        """What was really sent (`tables.TRAFFIC`), each byte once, whoever reported it."""
        return tables.traffic_table(FleetTexts(self.fleet), self.connections, self.volumes)

    def label_table(self) -> pa.Table:
        """Labelled prefixes (`schemas/label.avsc`)."""
        return evidence_tables.label_table(self.fleet)

    def region_rows(self) -> list[tuple[str, str]]:
        """Prefix and region, for each prefix of each region."""
        return evidence_tables.region_rows(self.fleet.catalogue)


def simulate(scenario: Scenario, *, seed: int) -> Simulation:
    """The simulation of a scenario: the same for the same scenario, seed and version of numpy.

    Each part draws from a generator of its own, so that a parameter of the evidence does not change the traffic.
    """
    streams = np.random.SeedSequence(seed).spawn(16)
    rng = [np.random.default_rng(stream) for stream in streams]
    fleet = make_fleet(scenario, rng[0], rng[8])
    observers = make_observers(scenario, rng[1], rng[14])
    made = with_sockets(fleet, make_connections(fleet, scenario, rng[2]), observers, scenario, rng[15])
    connections = translate(fleet, made, scenario, rng[7])
    flows, volumes = make_flows(fleet, connections, observers, scenario, rng[3], rng[11], rng[13], rng[14])
    heartbeats = make_heartbeats(fleet, scenario, rng[4])
    events, assignments = make_events(fleet, scenario, rng[5]), make_assignments(fleet, scenario, rng[5])
    names = make_names(fleet, flows, scenario, rng[6])
    return Simulation(
        scenario=scenario,
        seed=seed,
        fleet=fleet,
        observers=observers,
        flows=flows,
        heartbeats=heartbeats,
        events=events,
        assignments=assignments,
        names=names,
        sessions=make_sessions(fleet, connections, scenario, rng[7]),
        told=tell(fleet, observers, flows, (heartbeats, assignments, names), scenario, rng[9]),
        connections=connections,
        volumes=volumes,
        delivered=delivered(flows, scenario, rng[12]),
        rules=make_rules(fleet, scenario, rng[10]),
    )
