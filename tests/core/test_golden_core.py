"""The golden cases through the attributor: all evidence known, and as time goes on."""

from dataclasses import replace

import pytest
from golden_cases import CASES, case_name
from records import answers, attributed_row, batch, package_settings

from attribution.core.attributor import Attributor
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE

STEP = 150_000_000


def expected_rows(case, flow_answers):
    return [attributed_row(row, answer) for row, answer in zip(case.rows("flows.jsonl"), flow_answers, strict=True)]


def attributor_of(case):
    attributor = Attributor(package_settings(case.settings))
    attributor.observe(ASSIGNMENT, batch(ASSIGNMENT, case.evidence.assignments))
    attributor.observe(NAME_BINDING, batch(NAME_BINDING, case.evidence.name_bindings))
    attributor.observe(LABEL, batch(LABEL, case.evidence.labels))
    attributor.observe(POLICY, batch(POLICY, case.evidence.policies))
    attributor.observe(SOCKET_RULE, batch(SOCKET_RULE, case.evidence.socket_rules))
    return attributor


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_core_gives_the_expected_rows(case):
    attributor = attributor_of(case)
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, case.evidence.heartbeats))
    flows = batch(FLOW, case.flows)
    attributor.observe_flows(flows, case.span)
    attributed = attributor.attribute(flows)
    assert expected_rows(case, answers(attributed)) == case.expected


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_as_time_goes_on_the_attributor_releases_the_expected_rows(case):
    attributor = attributor_of(case)
    flows = [replace(flow, observer=str(number)) for number, flow in enumerate(case.flows)]
    moments = [flow.end for flow in flows] + [h.start for h in case.evidence.heartbeats]
    released = {}
    before = min(moments) - 1
    while before < max(moments) + case.settings.hold:
        watermark = before + STEP
        ended = batch(FLOW, [flow for flow in flows if before < flow.end <= watermark])
        attributor.observe_flows(ended, case.span)
        attributor.hold(ended)
        arrived = [h for h in case.evidence.heartbeats if before < h.start <= watermark]
        attributor.observe(HEARTBEAT, batch(HEARTBEAT, arrived))
        for rows in attributor.advance(watermark).attributed:
            released |= zip(rows.column("observer").to_pylist(), answers(rows), strict=True)
        before = watermark
    assert expected_rows(case, [released[flow.observer] for flow in flows]) == case.expected
    assert attributor.counters["flows_held"] == attributor.counters["flows_released"] == len(flows)
    assert attributor.counters["flows_too_old"] == attributor.counters["late_heartbeats"] == 0
