"""What flows are as heartbeats, and what they claim of their ports: the columnar code, held to the oracle."""

from collections import Counter

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import Flow, Settings, evidence_of_flows
from records import batch, package_settings, seen
from strategies import BASE, SPACES, clocks, rule_settings, translated_flows

from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.schema import FLOW


@st.composite
def reported(draw):
    """Settings, and flows under them."""
    settings = draw(rule_settings(pools=True))
    times, space = draw(clocks(settings)), draw(st.sampled_from(SPACES))
    return settings, draw(st.lists(translated_flows(settings, times, space), max_size=6))


@given(reported(), st.sampled_from(["interval", "start", "none"]))
def test_what_flows_are_evidence_of_is_what_the_oracle_says(history, span):
    settings, flows = history
    made = FlowEvidence(package_settings(settings))
    rows = batch(FLOW, flows)
    expected = evidence_of_flows(flows, settings, span)
    for h in expected:
        event(f"{h.claim}, {'a port' if h.port is not None else 'all'}")
    assert Counter(seen(made.heartbeats(rows, span)) + seen(made.claims(rows, span))) == Counter(expected)


TCP_443 = {"local_address": "192.0.2.1", "local_port": 443, "local_workload": "a"}


def says(**more):
    """What a connection of a minute is evidence of: (port, claim, how long)."""
    flow = Flow(**({"start": BASE, "end": BASE + 60, "remote_address": "198.51.100.7", "remote_port": 9} | more))
    return {(h.port, h.claim, h.end - h.start) for h in evidence_of_flows([flow], Settings())}


@pytest.mark.parametrize(
    ("direction", "port", "claim"),
    [
        ("ingress", 443, ("accepted", 0)),
        ("egress", 443, ("opened", 60)),
        (None, 443, ("opened", 0)),
        (None, 40_000, ("opened", 60)),
        ("ingress", 40_000, ("accepted", 0)),
    ],
)
def test_only_what_was_opened_for_certain_speaks_of_its_port_after_its_start(direction, port, claim):
    expected = {(None, None, 60), (port, *claim)}
    assert says(**TCP_443 | {"direction": direction, "local_port": port}) == expected


@pytest.mark.parametrize(
    ("wire_port", "direction", "claim"),
    [
        (443, "ingress", (None, 0)),
        (443, "egress", ("shown", 60)),
        (443, None, ("shown", 0)),
        (8443, "ingress", ("balanced", 60)),
        (8443, "egress", ("shown", 60)),
        (8443, None, ("balanced", 60)),
        (40_000, None, ("shown", 60)),
    ],
)
def test_a_socket_on_the_wire_that_is_another_one_never_listens_for_its_workload(wire_port, direction, claim):
    shared = TCP_443 | {"wire_address": "192.0.2.1", "wire_port": wire_port, "direction": direction}
    assert says(**shared) == {(wire_port, *claim)}
    translated = says(**shared | {"wire_address": "203.0.113.9"})
    elsewhere = ("balanced", 60) if claim[0] is None or (direction is None and wire_port == 443) else claim
    assert {found for found in translated if found[1] in ("shown", "balanced", None) and found[0] is not None} == {
        (wire_port, *elsewhere)
    }
