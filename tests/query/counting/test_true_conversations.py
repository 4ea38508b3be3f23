"""True conversations, reported by several observers: the graph shows what was sent, by edge and by hour."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
from counting_lake import report
from tiny_lake import HOSTS, at, write_lake

from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.graph.talkers import talkers
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window

BEGIN = at("10:00:00")
HOURS = 3
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Conversation:
    """Packets as (seconds from the begin, whether the client sent it, bytes)."""

    client: str
    server: str
    packets: tuple[tuple[float, bool, int], ...]

    @property
    def hour(self):
        return int(self.packets[0][0] // 3600)

    def bytes(self, *, of_client):
        return sum(size for _, sent, size in self.packets if sent == of_client)


@dataclass(frozen=True)
class Observer:
    """One log: what it calls itself, how long its windows are and where they are cut, and how wrong its clock is.

    Attributes:
        window: seconds; None where it logs connections.
        end: `client` or `server` where it stands at an end; None where it only sees who sends.
        widened: its windows are written a minute longer, as VPC flow logs are.
        ways: what it sees of a conversation.
    """

    name: str | None
    end: str | None
    window: int | None
    phase: float = 0.0
    skew: float = 0.0
    widened: bool = False
    ways: tuple[bool, ...] = (True, False)

    def reports(self, one):
        packets = [packet for packet in one.packets if packet[1] in self.ways]
        if self.window is None:
            yield from self._rows(one, packets)
            return
        for way in self.ways:
            parts = {}
            for packet in packets:
                if packet[1] == way:
                    parts.setdefault((packet[0] - self.phase) // self.window, []).append(packet)
            for part in parts.values():
                yield from self._rows(one, part, way)

    def _rows(self, one, packets, way=None):
        if not packets:
            return
        first, last = (BEGIN + (packets[n][0] + self.skew) * SECOND for n in (0, -1))
        if self.widened:
            first = first.replace(microsecond=0) - 60 * SECOND
            last = last.replace(microsecond=999_999)
        sizes = {sent: sum(size for _, s, size in packets if s == sent) for sent in (True, False)}
        # Who stands at no end takes the sender for the local end.
        at_client = self.end == "client" or (self.end is None and way is not False)
        sent, received = (True, False) if at_client else (False, True)
        fields = {
            "bytes_sent": sizes[sent] if way in (None, sent) else None,
            "bytes_received": sizes[received] if way in (None, received) else None,
            "observer": self.name,
            "basis": "connection" if self.window is None else "window",
        }
        local, remote = (one.client, one.server) if at_client else (one.server, one.client)
        yield report(first, (last - first) / SECOND, local, remote, **fields)


def observers(rng):
    """A few of the logs that one conversation may be in; each saw all of the ways that it saw any of."""
    skews = [rng.choice([0.0, rng.uniform(-0.4, 0.4)]) for _ in range(8)]
    phase = rng.choice([0.0, 20.0, 37.5])
    known = [
        Observer("eni-a", "client", 60, phase, widened=True),
        Observer("eni-b", "server", rng.choice([60, 600]), widened=True),
        Observer("sensor", "client", None, skew=skews[0]),
        Observer(None, "client", None, skew=skews[1]),
        Observer(None, "server", None, skew=skews[2]),
        Observer("router-1", None, 60, phase, skew=skews[3]),
        Observer("router-2", None, 45, skew=skews[4]),
        Observer("router-3", None, 300, skew=skews[5], ways=(rng.random() < 0.5,)),
    ]
    chosen = rng.sample(known, rng.randint(1, 4))
    if rng.random() < 0.3:
        # Two logs of one interface.
        chosen += [Observer("eni-c", "server", window, skew=skews[6], widened=True) for window in (60, 600)]
    return chosen


def conversation(rng, number):
    """Packets in bursts and alone, within one hour, so that it is clear in which hour they were sent."""
    client, server = rng.sample(list(HOSTS), 2)
    start = 3600 * rng.randrange(HOURS) + rng.uniform(120, 1800)
    moments = sorted(start + rng.choice([rng.uniform(0, 3), rng.uniform(0, 1500)]) for _ in range(rng.randint(1, 30)))
    packets = tuple((round(moment, 6), rng.random() < 0.5, rng.randint(40, 1500)) for moment in moments)
    return Conversation(f"{client}:{33000 + number}", f"{server}:443", packets)


@pytest.mark.parametrize("seed", range(4))
def test_sums_by_edge_and_hour_are_what_was_sent(tmp_path, seed):
    rng = random.Random(seed)
    truth, rows, addresses = Counter(), [], Counter()
    for number in range(150):
        one, logs = conversation(rng, number), observers(rng)
        rows += [row for log in logs for row in log.reports(one)]
        names = [HOSTS[end.rsplit(":", 1)[0]] for end in (one.client, one.server)]
        source, target = (service or workload for workload, service in names)
        for way in {way for log in logs for way in log.ways}:
            sent = one.bytes(of_client=way)
            truth[one.hour, source, target, way] += sent
            addresses[(one.client if way else one.server).rsplit(":", 1)[0]] += sent
    rng.shuffle(rows)
    with LakeSession(write_lake(tmp_path / "lake", flows=rows)) as session:
        found = Counter()
        for hour in range(HOURS):
            start = BEGIN + timedelta(hours=hour)
            window = Window(start, start + timedelta(hours=1))
            for edge in graph(session, GraphSelection(window=window, clients_by_port=True)).edges:
                found[hour, str(edge.source), str(edge.target), True] += edge.bytes_out or 0
                found[hour, str(edge.source), str(edge.target), False] += edge.bytes_back or 0
        assert +found == +truth
        whole = graph(session, GraphSelection(clients_by_port=True))
        assert whole.totals.bytes == sum(truth.values())
        assert whole.totals.records == len(rows)
        talking = {row.key["address"]: row.bytes_sent or 0 for row in talkers(session, by="address", limit=None).rows}
        assert +Counter(talking) == +addresses
