"""The flow records of observers: as connections or windows, at the data centre or at the client.

If an observer does not tell the ports of clients apart, a record holds all connections of a client and a server.
"""

from dataclasses import dataclass, fields

import numpy as np

from attribution.core.addressing.sockets import TCP
from attribution.core.columnar.arrays import starts_of_runs
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.pools.scenario import AgilityScenario
from attribution.testbed.pools.traffic import Connections
from attribution.testbed.pools.world import OBSERVERS_A_CENTRE, Log, World


@dataclass(frozen=True)
class Records:
    """Flow records, in the order of their delivery; times by the observer's clock.

    Attributes:
        start: first activity, or start of the window, microseconds.
        end: last activity, or end of the window.
        observer: number of the observer.
        at_centre: whether the observer is at the data centre; else it is at the client.
        first: the connection of the record that was active first.
        port: port of the client; -1 if the record does not tell.
        window: whether the record may hold traffic of several peers, or of several moments.
        directed: whether the record says which side opened the flow.
        named: whether the record carries the name.
        received: when it was delivered, without any clock's error.
        seen: when its first connection was first active in it, without any clock's error.
        member_record: record of each pair of a record and a connection that it holds.
        member: connection of each such pair.
        bytes_sent: from local to remote.
        bytes_received: from remote to local.
    """

    start: Int64
    end: Int64
    observer: Int64
    at_centre: Bool
    first: Int64
    port: Int64
    window: Bool
    directed: Bool
    named: Bool
    received: Int64
    seen: Int64
    member_record: Int64
    member: Int64
    bytes_sent: Int64
    bytes_received: Int64

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class _Sightings:
    """What observers saw: one row a connection, an observer, and a window if the observer logs windows.

    Attributes:
        connection: number of the connection.
        observer: number of the observer.
        at_centre: whether the observer is at the data centre; else it is at the client.
        start: first activity, or start of the window, by the observer's clock.
        end: last activity, or end of the window, by the observer's clock.
        port: the client's; -1 if the observer does not tell the ports of clients apart.
        active: when the connection was first active in it, without any clock's error.
    """

    connection: Int64
    observer: Int64
    at_centre: Bool
    start: Int64
    end: Int64
    port: Int64
    active: Int64

    def rows(self, choice: Int64) -> "_Sightings":
        """The chosen rows."""
        return _Sightings(*(getattr(self, field.name)[choice] for field in fields(self)))


def make_records(scenario: AgilityScenario, world: World, seen: Connections, rng: np.random.Generator) -> Records:
    """Make the records of all connections, at the data centre, and at the client's network if it has a sensor."""
    sightings = _sightings(scenario, world, seen, rng)
    order, opens = _by_record(sightings, seen)
    heads = sightings.rows(order[opens])
    size, first = len(heads.connection), heads.connection
    single = world.log[heads.observer] == Log.CONNECTIONS
    directed = rng.random(size) >= scenario.undirected_share
    carries = single & directed & (rng.random(size) < scenario.sni_share) & (seen.name[first] >= 0)
    late = rng.integers(0, scenario.report_delay, size, endpoint=True)
    received = heads.end - world.skew[heads.observer] + late
    delivered = np.argsort(received, kind="stable")
    place = np.empty(size, np.int64)
    place[delivered] = np.arange(size)
    of_record = {
        "start": heads.start,
        "end": heads.end,
        "observer": heads.observer,
        "at_centre": heads.at_centre,
        "first": first,
        "port": heads.port,
        # One peer from start to end has TCP alone; what a port of UDP exchanges may be with several.
        "window": ~single | (seen.protocol[first] != TCP),
        "directed": directed,
        "named": carries,
        "received": received,
        "seen": heads.active,
        "bytes_sent": rng.integers(200, 20_000, size=size),
        "bytes_received": rng.integers(200, 200_000, size=size),
    }
    return Records(
        **{name: values[delivered] for name, values in of_record.items()},
        member_record=place[np.cumsum(opens) - 1],
        member=sightings.connection[order],
    )


def _sightings(scenario: AgilityScenario, world: World, seen: Connections, rng: np.random.Generator) -> _Sightings:
    connection, observer, at_centre = _views(world, seen, rng)
    skew = world.skew[observer]
    step = np.where(world.log[observer] == Log.CONNECTIONS, 0, scenario.window)
    part = _parts(seen.start[connection] + skew, seen.end[connection] + skew, step)
    connection, observer = connection[part.row], observer[part.row]
    return _Sightings(
        connection=connection,
        observer=observer,
        at_centre=at_centre[part.row],
        start=part.start,
        end=part.end,
        port=np.where(world.log[observer] == Log.PAIRS, -1, seen.client_port[connection]),
        active=np.maximum(part.start - world.skew[observer], seen.start[connection]),
    )


def _by_record(sightings: _Sightings, seen: Connections) -> tuple[Int64, Bool]:
    """Order of the sightings by record and time, and whether each, in that order, is the first of its record."""
    connection = sightings.connection
    columns = (
        sightings.start, sightings.end, sightings.observer, sightings.at_centre, seen.client_address[connection],
        seen.ipv6[connection], sightings.port, seen.address[connection], seen.port[connection],
        seen.protocol[connection],
    )  # fmt: skip
    keys = (column.astype(np.int64) for column in columns[::-1])
    order = np.lexsort((connection, sightings.active, *keys))
    return order, starts_of_runs(*(column[order] for column in columns)) if len(order) else np.zeros(0, np.bool_)


def _views(world: World, seen: Connections, rng: np.random.Generator) -> tuple[Int64, Int64, Bool]:
    """Connection, observer, and whether the observer is at the data centre, for each observer of a connection."""
    accepted = np.flatnonzero(seen.centre >= 0)
    at_centre = seen.centre[accepted] * OBSERVERS_A_CENTRE + rng.integers(0, OBSERVERS_A_CENTRE, size=len(accepted))
    sensor = np.where(seen.client >= 0, world.sensor[world.network[seen.client]], -1)
    sensed = np.flatnonzero(sensor >= 0)
    return (
        np.r_[accepted, sensed],
        np.r_[at_centre, sensor[sensed]],
        np.r_[np.ones(len(accepted), np.bool_), np.zeros(len(sensed), np.bool_)],
    )


@dataclass(frozen=True)
class _Parts:
    """Parts of spans: the row of the span, and start and end of the part."""

    row: Int64
    start: Int64
    end: Int64


def _parts(start: Int64, end: Int64, step: Int64) -> _Parts:
    """Cut spans into one part for every window of length `step` that they touch; a step of 0 leaves a span whole."""
    length = np.maximum(step, 1)
    first = start // length
    count = np.where(step > 0, end // length - first + 1, 1)
    row = np.repeat(np.arange(len(start)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    begin = (first[row] + nth) * length[row]
    whole = step[row] == 0
    return _Parts(row, np.where(whole, start[row], begin), np.where(whole, end[row], begin + length[row]))
