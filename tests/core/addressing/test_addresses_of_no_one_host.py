"""Loopback, link-local, multicast: every host means another by them, so nobody seen there is evidence for anybody."""

import pytest
from oracle import Evidence, Flow, Heartbeat, Settings, attribute
from records import answers, batch, package_settings

from attribution.core.attributor import Attributor
from attribution.schema import FLOW, HEARTBEAT

EVERYWHERE = (
    *("0.1.2.3", "127.0.0.1", "127.0.0.53", "169.254.20.10", "224.0.0.251", "239.1.2.3", "255.255.255.255"),
    *("::", "::1", "fe80::1", "febf::2", "ff02::1"),
)
#: Beside them.
OF_ONE_HOST = ("128.0.0.1", "169.253.255.255", "169.255.0.0", "223.255.255.255", "::2", "fec0::1", "fd00::1")


@pytest.mark.parametrize("address", [*EVERYWHERE, *OF_ONE_HOST])
def test_who_was_seen_at_an_address_that_every_host_has_is_not_named_there(address):
    beats = (
        Heartbeat(address, None, "agent-of-another-host", None, 0, 9_000_000),
        Heartbeat("10.0.0.1", None, "web", None, 0, 9_000_000),
    )
    flows = [Flow(5_000_000, 5_000_000, "10.0.0.9", 1, remote, 443) for remote in (address, "10.0.0.1")]
    attributor = Attributor(package_settings(Settings()))
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, beats))
    found = answers(attributor.attribute(batch(FLOW, flows)))
    assert found == [attribute(Evidence(heartbeats=beats), flow, Settings()) for flow in flows]
    named = [answer.remote.workload for answer in found]
    assert named == [None if address in EVERYWHERE else "agent-of-another-host", "web"]
    assert (found[0].remote.reason == "unknown") == (address in EVERYWHERE)
    ranges = attributor.ownership_ranges().column("address").to_pylist()
    assert (address in ranges) == (address not in EVERYWHERE)
