"""A verdict on stored ranges is what the rules made of the heartbeats, also of an address in several networks."""

from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from records import batch, package_settings
from strategies import any_history

from attribution.core.reasons import CLOSED
from attribution.core.resolve import Resolver
from attribution.query.explain import address_evidence
from attribution.query.explain.networks import networks_of
from attribution.query.explain.verdict import FlowSide, judge
from attribution.records import BY_NAME, EVIDENCE
from attribution.schema import ASSIGNMENT, FLOW, LABEL, POLICY, SOCKET_RULE

#: Ranges do not tell where in them somebody was seen: (what the run said, what the ranges say).
LESS = {("covered", "bridged"), ("covered", "gap"), ("within", "gap")}


def records_of(kind, rows):
    """Rows as records of a kind, which has some of their fields."""
    return tuple(kind(**{name: row[name] for name in kind.__dataclass_fields__}) for row in rows)


def evidence_of(resolver, tables, address):
    """What the lake of a run would hold about an address."""
    ranges = pa.Table.from_batches([resolver.ownership.ranges()]).to_pylist()
    for row in ranges:
        row["holes"] = tuple((hole["start"], hole["end"]) for hole in row["holes"])
    around = address_evidence.prefixes_around(address)
    events, labels = tables[ASSIGNMENT].to_pylist(), tables[LABEL].to_pylist()
    return address_evidence.AddressEvidence(
        address,
        records_of(address_evidence.HeldRange, [row for row in ranges if row["address"] == address]),
        records_of(address_evidence.AssignmentEvent, [row for row in events if row["address"] == address]),
        records_of(address_evidence.LabelledPrefix, [row for row in labels if row["prefix"] in around]),
        tables[POLICY],
        tables[SOCKET_RULE],
    )


def run(history, *routes):
    """The evidence of a history, the rules over it under some routes more, and the flows as attributed by them."""
    asked = replace(history.settings, routes=(*history.settings.routes, *routes))
    its = package_settings(asked)
    tables = {
        kind: pa.Table.from_batches([batch(kind, getattr(history.evidence, BY_NAME[kind].plural))]) for kind in EVIDENCE
    }
    resolver = Resolver(tables, its)
    return its, tables, resolver, resolver.attribute(batch(FLOW, history.flows)).to_pylist()


@given(any_history)
def test_a_verdict_is_what_the_run_said_and_its_option_does_what_it_says(history):
    its, tables, resolver, rows = run(history)
    for number, row in enumerate(rows):
        for side in ("local", "remote"):
            reason, evidence = row[f"{side}_reason"], evidence_of(resolver, tables, row[f"{side}_address"])
            if reason == "reported":
                continue
            asked = FlowSide.of(row, side)
            verdict = judge(evidence, its, asked)
            assert verdict.reason == reason or (reason, verdict.reason) in LESS
            assert verdict.workload == row[f"{side}_workload"] or verdict.reason == "gap"
            if verdict.method == "heartbeat" and side == "remote":
                assert verdict.ownership.network == row["remote_evidence_network"]
            found = networks_of(evidence, its, asked, verdict)
            standing = found.standing if found else ()
            answered = [one.network for one in standing if one.answered]
            assert answered == ([verdict.ownership.network] if answered and verdict.ownership.networks else answered)
            assert (reason not in CLOSED) or (found is not None and standing and not answered)
            for one in standing:
                if one.option and one.option.startswith("--route ") and one.verdict.workload:
                    again = run(history, one.option.removeprefix("--route "))[3][number]
                    assert again[f"{side}_workload"] == one.verdict.workload
