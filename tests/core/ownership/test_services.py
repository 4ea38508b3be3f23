"""The one service that heartbeats of a range name around a moment, held to a loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.ownership.services import Services


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 20), st.integers(0, 5))),
    st.integers(0, 2),
    st.integers(0, 25),
    st.integers(0, 5),
)
def test_a_service_is_named_if_it_alone_touches(heartbeats, asked, x, length):
    ranges, service, start, lasts = (np.array([h[i] for h in heartbeats], np.int64) for i in range(4))
    services = Services.of(ranges, service.astype(np.int32), start, start + lasts)
    touching = {s for r, s, b, more in heartbeats if r == asked and b <= x + length and b + more >= x}
    (found,) = services.named(np.array([asked]), np.array([x]), np.array([x + length])).tolist()
    assert found == (touching.pop() if len(touching) == 1 else -1)
