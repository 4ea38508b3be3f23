"""Ranges joined over the seams of slabs are those of all heartbeats together."""

import itertools

import pytest
from oracle import Heartbeat, Settings, ownership_ranges
from records import batch, ownership, package_settings

from attribution.core.attributor import Attributor
from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.core.ownership.range_collector import SEVERAL_SERVICES, RangeCollector
from attribution.schema import HEARTBEAT

SETTINGS = Settings(clock_tolerance=1, max_gap=50, hold=100, retention=500)


@pytest.mark.parametrize("services", [*itertools.product([None, "web", "api"], repeat=4)])
def test_a_range_has_the_one_service_that_its_heartbeats_name_in_whatever_slab(services):
    settings = package_settings(SETTINGS)
    moments = (1_000, 1_010, 1_040, 1_045)
    seen = [Heartbeat("192.0.2.1", None, "w", s, t, t) for s, t in zip(services, moments, strict=True)]
    collector, given = RangeCollector(settings), []
    for slab, known_to in ((seen[:2], 1_020), (seen[2:], 1_050), ([], NEVER_AFTER)):
        attributor = Attributor(settings)
        attributor.observe(HEARTBEAT, batch(HEARTBEAT, slab))
        given += ownership(collector.collect(attributor.ownership_ranges(several=SEVERAL_SERVICES), known_to=known_to))
    assert given == [*ownership_ranges(seen, SETTINGS)]
