"""What is merged and forgotten changes no answer that may still be asked for."""

from hypothesis import event, given
from hypothesis import strategies as st
from oracle import attribute
from records import answers, batch, package_settings
from strategies import crowded_histories, flows_at, probes

from attribution.core.attributor import Attributor
from attribution.core.ownership.compaction import compact
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.schema import FLOW, HEARTBEAT


@given(crowded_histories(), st.data())
def test_compaction_changes_no_answer_for_flows_that_may_still_come(history, data):
    settings = package_settings(history.settings)
    heartbeats = history.evidence.heartbeats
    moments = [moment for h in heartbeats for moment in (h.start, h.end)]
    reach = settings.max_gap + settings.clock_tolerance
    later = [
        0,
        1,
        settings.clock_tolerance + 1,
        reach // 2,
        reach,
        reach + 1,
        settings.retention - 1,
        settings.retention,
    ]
    oldest = data.draw(st.sampled_from(moments), label="moment") + data.draw(st.sampled_from(later), label="later")
    still_to_come = data.draw(st.sets(st.sampled_from(range(len(heartbeats))), max_size=3), label="still to come")
    known = [h for i, h in enumerate(heartbeats) if i not in still_to_come]
    compacted = compact(Heartbeats.of(batch(HEARTBEAT, known)), settings, oldest=oldest).table()
    assert compacted.num_rows <= len(known)
    event("smaller" if compacted.num_rows < len(known) else "as large")

    attributor = Attributor(settings)
    attributor.observe(HEARTBEAT, compacted)
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, [heartbeats[i] for i in still_to_come]))
    asked = [flow for flow in probes(history) if flow.start >= oldest]
    asked += flows_at(history.settings, [oldest, oldest + 1, oldest + settings.clock_tolerance, oldest + reach])
    expected = [attribute(history.evidence, flow, history.settings) for flow in asked]
    assert answers(attributor.attribute(batch(FLOW, asked))) == expected
