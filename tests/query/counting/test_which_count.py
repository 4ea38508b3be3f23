"""Which reports count: the questions against the rule row by row, and sums over windows."""

import tempfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from counting_lake import counted, counted_in, report
from counting_oracle import which_count
from hypothesis import given
from hypothesis import strategies as st
from tiny_lake import at, write_lake

from attribution.config import NO_NETWORK, Settings
from attribution.query.counting.spaces import joined_spaces
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window

NOON = at("12:00:00")
HALF_SECONDS = st.sampled_from([-7201, -7200, -7199, *range(-6, 7), 60, 119, 120, 121, 1200, 7199, 7200, 7201])
LENGTHS = st.sampled_from([0, 0, 1, 2, 3, 6, 59, 120, 121, 1200, 9000])


@st.composite
def reports(draw):
    """A few conversations, reported by several observers at times that touch, nest, equal and just miss each other."""
    flip = draw(st.booleans())
    ends = ["10.0.0.1:1", "10.0.0.2:2"]
    local, remote = ends[flip], ends[not flip]
    if draw(st.integers(0, 9)) == 0:
        remote = draw(st.sampled_from([local, "10.0.0.3:2", "10.0.0.9:7"]))
    kind = draw(st.sampled_from(["both", "both", "sent", "received", "none"]))
    start = NOON + draw(HALF_SECONDS) * timedelta(seconds=0.5)
    fields = {
        "observer": draw(st.sampled_from([None, "a", "a", "b", "c"])),
        "basis": draw(st.sampled_from(["window", "window", "connection", "export"])),
        "bytes_sent": 7 if kind in ("both", "sent") else None,
        "bytes_received": 9 if kind in ("both", "received") else None,
        "protocol": draw(st.sampled_from([6, 6, 6, 17, None])),
    }
    if draw(st.integers(0, 5)) == 0:
        fields["local_network"] = draw(st.sampled_from(["x", "y"]))
        fields["remote_network"] = draw(st.sampled_from([None, "x", "y"]))
    if draw(st.integers(0, 5)) == 0:
        fields["record_id"] = draw(st.sampled_from(["1", "2"]))
    if draw(st.integers(0, 5)) == 0:
        fields["relay_address"] = "10.0.0.9"
    if draw(st.integers(0, 5)) == 0:
        fields["wire_address"], fields["wire_port"] = draw(st.sampled_from([("10.0.0.9", 7), ("10.0.0.2", None)]))
    if draw(st.integers(0, 9)) == 0:
        fields["local_port"] = fields["remote_port"] = None
    return report(start, draw(LENGTHS) * 0.5, local, remote, **fields)


SETTINGS = st.sampled_from([
    Settings(), Settings(one_space=True), Settings(routes=("x,y",)), Settings(routes=("x,-",)),
    Settings(routes=("x,-", "y,-")), Settings(routes=("x,z", "z,y")),
])  # fmt: skip


def same_space(settings):
    if settings.one_space:
        return lambda _: None
    spaces = joined_spaces(settings.network_routes)
    return lambda network: spaces.get(network or NO_NETWORK, network or NO_NETWORK)


def joined(settings):
    if settings.one_space:
        return None
    return lambda one, other: {one, other} in [set(route.networks) for route in settings.network_routes]


@given(rows=st.lists(reports(), min_size=1, max_size=12), settings=SETTINGS)
def test_questions_count_what_the_rule_counts(rows, settings):
    expected = which_count(rows, same_space=same_space(settings), joined=joined(settings))
    with tempfile.TemporaryDirectory() as folder:
        assert counted_in(Path(folder) / "lake", rows, settings) == expected


@given(rows=st.lists(reports(), min_size=1, max_size=12), cuts=st.lists(HALF_SECONDS, max_size=3, unique=True))
def test_windows_that_share_no_time_count_each_report_as_the_whole_does(rows, cuts):
    rows = [one | {"data_centre": str(number)} for number, one in enumerate(rows)]
    moments = [None, *(NOON + cut * timedelta(seconds=0.5) for cut in sorted(cuts)), None]
    with (
        tempfile.TemporaryDirectory() as folder,
        LakeSession(write_lake(Path(folder) / "lake", flows=rows)) as session,
    ):
        whole, parts = counted(session), {}
        for start, end in pairwise(moments):
            found = counted(session, Window(start, end))
            assert not parts.keys() & found.keys()
            parts |= found
        assert parts == whole
