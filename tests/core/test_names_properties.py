"""Hostnames from name bindings, held to the oracle beside every boundary, also after bindings were forgotten."""

import pyarrow as pa
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import SECOND, Flow, remote_hostname
from records import batch, package_settings
from strategies import ADDRESSES, clocks, name_bindings, rule_settings

from attribution.attributor import Attributor
from attribution.core.compaction import current_names
from attribution.schema import FLOW, NAME_BINDING


@st.composite
def told(draw):
    settings = draw(rule_settings())
    return settings, draw(st.lists(name_bindings(draw(clocks(settings))), min_size=1, max_size=6))


def asked(settings, bindings):
    """Flows between the first binding's addresses, and others', at and beside every boundary of a binding."""
    tol = settings.clock_tolerance
    moments = set()
    for binding in bindings:
        until = binding.time + round((binding.ttl or 0) * SECOND) + settings.name_stretch
        moments |= {edge + off + one for edge in (binding.time, until) for off in (-tol, tol) for one in (-1, 0, 1)}
    ends = [(n.client_address, n.server_address) for n in bindings] + [(ADDRESSES[0], ADDRESSES[1])]
    return [
        Flow(start, start + lasting, local, None, remote, 443, local_workload="client", basis=basis)
        for start in sorted(moments)
        for local, remote in dict.fromkeys(ends)
        for lasting, basis in ((5, "connection"), (5, "window"))
    ]


def hostnames(attributor, flows):
    return attributor.attribute(batch(FLOW, flows)).column("remote_hostname").to_pylist()


@given(told(), st.data())
def test_hostnames_are_those_of_the_oracle_also_when_old_bindings_are_forgotten(case, data):
    settings, bindings = case
    flows = asked(settings, bindings)
    expected = [remote_hostname(bindings, f, settings) for f in flows]
    event("named" if any(expected) else "never named")
    attributor = Attributor(package_settings(settings))
    attributor.observe_names(batch(NAME_BINDING, bindings))
    assert hostnames(attributor, flows) == expected

    oldest = data.draw(st.sampled_from([flow.start for flow in flows]), label="oldest")
    table = pa.Table.from_batches([batch(NAME_BINDING, bindings)])
    later = Attributor(package_settings(settings))
    later.observe_names(current_names(table, package_settings(settings), oldest))
    still = [(flow, name) for flow, name in zip(flows, expected, strict=True) if flow.start >= oldest]
    assert hostnames(later, [flow for flow, _ in still]) == [name for _, name in still]
