"""The baselines of fleets with networks, on rows small enough to check by hand."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.core.addressing.sockets import TCP, asked_sockets
from attribution.schema import HEARTBEAT, arrow_schema
from attribution.testbed.evaluate.baselines import EventLog, baselines
from attribution.testbed.evaluate.network_baselines import NearestHeartbeats, network_log, told_places
from attribution.testbed.fleet.tables import EVENTS, NETWORK_TRUTH

A, B = "10.0.0.1", "10.0.0.2"


def rows_of(rows, schema):
    return pa.Table.from_pylist([{field.name: row.get(field.name) for field in schema} for row in rows], schema=schema)


def nearest(address, port, time, *heartbeats):
    """The workload of the nearest of heartbeats (address, port, workload, time)."""
    rows = [
        {"address": a, "port": p, "protocol": p and TCP, "workload": w, "service": w.lower(), "start": t, "end": t}
        for a, p, w, t in heartbeats
    ]
    sockets = asked_sockets(pa.array([TCP], pa.int32()), pa.array([port], pa.int32()))
    asked = NearestHeartbeats(rows_of(rows, arrow_schema(HEARTBEAT)))
    workload, service = asked.attribute(pa.array([address]), sockets, np.array([time]))
    (name,) = workload.to_pylist()
    assert service.to_pylist() == [name and name.lower()]
    return name


@pytest.mark.parametrize(("time", "name"), [(0, "X"), (14, "X"), (16, "Y"), (99, "Y")])
def test_the_nearest_heartbeat_may_be_before_or_after(time, name):
    assert nearest(A, 80, time, (A, None, "X", 10), (A, None, "Y", 20), (B, None, "Z", time)) == name


def test_a_heartbeat_of_the_socket_goes_before_one_of_the_address():
    heartbeats = (A, 80, "X", 500), (A, None, "Y", 10), (A, 81, "Z", 10)
    assert nearest(A, 80, 10, *heartbeats) == "X"
    assert nearest(A, 82, 10, *heartbeats) == "Y"


def test_nobody_was_seen_at_the_address():
    assert nearest(B, 80, 10, (A, None, "X", 10)) is None
    assert nearest(B, 80, 10) is None


def test_events_by_network_are_asked_in_the_network_that_was_told():
    owners = [("east", "X"), ("west", "Y"), (None, "Z")]
    events = [
        {"address": A, "network": network, "owner": owner, "service": owner.lower(), "action": "assign", "time": 1 + at,
         "received": 1 + at}
        for at, (network, owner) in enumerate(owners)
    ]  # fmt: skip
    log = EventLog(rows_of(events, EVENTS))
    latest, _ = baselines()
    flow = {"local_address": A, "remote_address": A, "remote_kind": "workload", "start": 10, "end": 10}
    told = ["both", "local", "remote", "none"]
    truth = rows_of(
        [flow | {"local_network": "east", "remote_network": "west", "networks_told": one} for one in told],
        NETWORK_TRUTH,
    )
    start = end = np.full(4, 10)
    sockets = asked_sockets(pa.nulls(4, pa.int32()), pa.nulls(4, pa.int32()))

    def named(by, addresses):
        return latest.attribute(by, by.keys(addresses, sockets), start, end)[0].to_pylist()

    assert named(log, truth.column("remote_address")) == ["Z"] * 4
    by_network = network_log(log)
    assert named(by_network, told_places(truth, "local")) == ["X", "X", "Z", "Z"]
    assert named(by_network, told_places(truth, "remote")) == ["Y", "X", "Y", "Z"]
