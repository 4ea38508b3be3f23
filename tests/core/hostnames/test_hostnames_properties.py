"""Hostnames from name bindings, held to the oracle beside every boundary, also after bindings were forgotten."""

from dataclasses import replace

import pyarrow as pa
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import SECOND, Evidence, Flow, NameBinding, Settings, attribute
from records import answers, batch, package_settings
from strategies import ADDRESSES, BASE, clocks, name_bindings, rule_settings

from attribution.core.attributor import Attributor
from attribution.core.ownership.compaction import current_names
from attribution.schema import FLOW, NAME_BINDING


@st.composite
def told(draw):
    settings = draw(rule_settings(pools=True))
    return settings, draw(st.lists(name_bindings(draw(clocks(settings))), min_size=1, max_size=6))


def asked(settings, bindings):
    """Flows between the first binding's addresses, and others', at and beside every boundary of a binding."""
    tol = settings.clock_tolerance
    moments = set()
    for binding in bindings:
        until = binding.time + round((binding.ttl or 0) * SECOND) + settings.name_stretch
        edges = (binding.time, until, until + settings.connection_lifetime)
        moments |= {edge + off + one for edge in edges for off in (-tol, tol) for one in (-1, 0, 1)}
    ends = [(n.client_address, n.server_address) for n in bindings] + [(ADDRESSES[0], ADDRESSES[1])]
    return [
        Flow(start, start + lasting, local, None, remote, 443, local_workload="client", basis=basis, direction=way)
        for start in sorted(moments)
        for client, server in dict.fromkeys(ends)
        for local, remote, way in ((client, server, "egress"), (server, client, "ingress"))
        for lasting, basis in ((5, "connection"), (5, "window"))
    ]


def names(attributor, flows):
    return [answer.name for answer in answers(attributor.attribute(batch(FLOW, flows)))]


@given(told(), st.data())
def test_hostnames_are_those_of_the_oracle_also_when_old_bindings_are_forgotten(case, data):
    settings, bindings = case
    flows = asked(settings, bindings)
    expected = [attribute(Evidence(name_bindings=tuple(bindings)), f, settings).name for f in flows]
    for answer in expected:
        event(answer.hostname_reason)
    attributor = Attributor(package_settings(settings))
    attributor.observe(NAME_BINDING, batch(NAME_BINDING, bindings))
    assert names(attributor, flows) == expected

    oldest = data.draw(st.sampled_from([flow.start for flow in flows]), label="oldest")
    table = pa.Table.from_batches([batch(NAME_BINDING, bindings)])
    later = Attributor(package_settings(settings))
    later.observe(NAME_BINDING, current_names(table, package_settings(settings), oldest))
    still = [(flow, name) for flow, name in zip(flows, expected, strict=True) if flow.start >= oldest]
    assert names(later, [flow for flow, _ in still]) == [name for _, name in still]


@given(st.integers(0, 60), st.data())
def test_many_names_of_one_address_are_found_or_counted(more, data):
    """Few are listed and many counted, wherever the ones that touch lie among those that do not."""
    settings = Settings(clock_tolerance=0, name_stretch=0, pool_prefixes=("192.0.2.0/24",))
    moments = data.draw(st.lists(st.integers(0, 30), min_size=more, max_size=more))
    lasting = data.draw(st.lists(st.sampled_from([0, 1, 1, 2, 30]), min_size=more, max_size=more))
    bindings = [
        NameBinding(ADDRESSES[2], ADDRESSES[0], f"n{number % 40}.example", BASE + at, ttl / SECOND)
        for number, (at, ttl) in enumerate(zip(moments, lasting, strict=True))
    ]
    flows = [Flow(BASE + at, BASE + at, ADDRESSES[2], None, ADDRESSES[0], 443) for at in range(-1, 62)]
    flows += [replace(flow, end=flow.end + 3, basis="window") for flow in flows]
    expected = [attribute(Evidence(name_bindings=tuple(bindings)), f, settings).name for f in flows]
    attributor = Attributor(package_settings(settings))
    attributor.observe(NAME_BINDING, batch(NAME_BINDING, bindings))
    assert names(attributor, flows) == expected
