"""Simulated names on pools of addresses, through the rules in memory, held against their truth."""

import pyarrow as pa

from attribution.core.attributor import Attributor
from attribution.schema import NAME_BINDING, POLICY, SOCKET_RULE
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.evaluate import evaluate_slices
from attribution.testbed.evaluate.name_baselines import NameLog
from attribution.testbed.pools.scenario import agility_scenario
from attribution.testbed.pools.simulation import simulate_agility


def world(*overrides, seed=1):
    return simulate_agility(agility_scenario(("requests=6000", *overrides)), seed=seed)


def attributor(simulation, settings=None):
    """One that knows all policies and socket rules."""
    made = Attributor(settings or simulation.settings)
    made.observe(POLICY, simulation.policy_table())
    made.observe(SOCKET_RULE, simulation.rule_table())
    return made


def attributed(simulation, settings=None):
    knows = attributor(simulation, settings)
    knows.observe(NAME_BINDING, simulation.name_table())
    return plain([knows.attribute(batch) for batch in simulation.flow_table().combine_chunks().to_batches()])


def plain(batches):
    """One table of attributed batches, without dictionaries."""
    decoded = [[c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in b.columns] for b in batches]
    return pa.concat_tables(pa.table(c, names=b.schema.names) for c, b in zip(decoded, batches, strict=True))


def judged(simulation, answers):
    """The evaluation of attributed flows, with the baselines of names."""
    log = NameLog(simulation.name_table(), simulation.settings.clients_of_resolvers)
    return evaluate_slices([align(simulation.truth_table(), answers)], log=None, variants=(), names=lambda: log)
