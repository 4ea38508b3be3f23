"""Sockets as numbers, held to the oracle, and evidence that may not be taken for that of a whole address."""

import oracle
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import batch

from attribution.config import Settings
from attribution.core import snapshot
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, Socket, asked_sockets, columns_of, held_sockets
from attribution.core.attributor import Attributor
from attribution.errors import ConfigError
from attribution.schema import HEARTBEAT

protocols = st.sampled_from([None, 0, 1, 6, 17, 33, 132, 136, 255])
ports = st.none() | st.integers(0, 65_535) | st.sampled_from([0, 65_535])


@given(st.lists(st.tuples(protocols, ports), max_size=20))
def test_a_socket_and_its_number_say_the_same_and_what_is_none_has_none(sides):
    expected = [oracle.socket_of(*side) for side in sides]
    assert [Socket.of(*side) for side in sides] == expected
    numbers = asked_sockets(*(pa.array([side[i] for side in sides], pa.int32()) for i in (0, 1)))
    assert all(-1 <= number < SOCKETS for number in numbers)
    assert [number == ANY_SOCKET for number in numbers] == [socket is None for socket in expected]
    columns = columns_of(numbers)
    assert columns["protocol"].to_pylist() == [socket and socket[0] for socket in expected]
    assert columns["port"].to_pylist() == [socket and socket[1] for socket in expected]


@pytest.mark.parametrize("protocol", [None, 1])
def test_evidence_of_a_port_of_no_protocol_is_never_taken_for_evidence_of_the_whole_address(protocol):
    seen = [oracle.Heartbeat("192.0.2.1", port, "w", None, 0, 1, protocol=protocol) for port in (None, 443)]
    assert held_sockets(batch(HEARTBEAT, seen[:1])).tolist() == [ANY_SOCKET]
    with pytest.raises(ValueError, match="cannot take evidence of a port"):
        held_sockets(batch(HEARTBEAT, seen))


def test_a_snapshot_of_before_ports_had_a_protocol_is_refused(monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(snapshot, "VERSION", 1)
        old = Attributor(Settings()).snapshot()
    with pytest.raises(ConfigError, match="snapshot of version 1: this version reads 2 to 6; start without it"):
        Attributor.restore(old, Settings())
