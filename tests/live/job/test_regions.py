"""Two regions, each with a broker and a job, one of them cut off for a while: each flow comes out once, at home."""

import json
from collections import Counter
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import numpy as np
import pyarrow as pa
from history import PERIOD_MS, History, end_of, send
from live_job import PATIENCE_S, LiveJob, attribution, count
from oracle import Flow, Heartbeat
from records import answers, batch

from attribution.config import MINUTE, SECOND
from attribution.core.columnar.dictionaries import plain
from attribution.schema import ASSIGNMENT, DEAD_LETTER, FLOW, HEARTBEAT, NAME_BINDING
from attribution.stream.regions.region_file import read_regions
from attribution.stream.topics import from_region
from attribution.testbed.cluster.processes import wait_until
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

HOME = {FLOW: "local_address", HEARTBEAT: "address", ASSIGNMENT: "address", NAME_BINDING: "client_address"}
HOUR_MS = 3_600_000
T0 = 1_767_225_600 * SECOND
SILENT = "region_silent"
PARAMETERS = ("connections=3000", "duration=20m", "capture_share=0.6", "window_share=0.3", "crossing_share=0.3")


class Region:
    """One region's job, the pieces of what it sees, and what has come out."""

    def __init__(self, name, peer, *, broker, cluster, folder, history, regions):
        folder.mkdir()
        self.name, self.peer, self.broker, self.cluster = name, peer, broker, cluster
        # However slow the machine, a topic whose next part is not sent yet does not count as idle.
        options = {"report_delay": "10s", "settle_interval": "2s", "buckets": 4, "idle_after": "10m"}
        options |= {"region": name, "regions": str(regions), "peer_patience": "30s"}
        self.job = LiveJob(broker, cluster, folder, stream=options, labels=history.labels, peers=[peer])
        table = read_regions(regions)
        mine = {kind: pa.array(table.within(rows.column(HOME[kind]), name)) for kind, rows in history.tables.items()}
        flows = history.tables[FLOW].filter(mine[FLOW])
        self.numbers = set(flows.column("observer").to_pylist())
        away = table.within(flows.column("remote_address"), peer)
        self.crossing = set(flows.filter(pa.array(away)).column("observer").to_pylist())
        self.pieces = History.__new__(History)
        self.pieces.tables = {kind: rows.filter(mine[kind]) for kind, rows in history.tables.items()}

    def send(self, begin_ms, end_ms):
        send(self.job, [p for p in self.pieces.in_time(200) if begin_ms <= max(end_of(*p)) < end_ms], span="none")
        self.job.say_time(end_ms)

    def answers(self):
        """Each flow that has come out, by its number, each once."""
        batches = [plain(rows) for table in self.job.attributed(0) for rows in table.combine_chunks().to_batches()]
        pairs = [pair for rows in batches for pair in zip(rows["observer"].to_pylist(), answers(rows), strict=True)]
        assert len(pairs) == len(dict(pairs))
        return dict(pairs)

    def answered(self):
        """Flows to the peer that were answered, and those that were not in time."""
        reasons = {number: found.remote.reason for number, found in self.answers().items() if number in self.crossing}
        silent = {number for number, reason in reasons.items() if reason == SILENT}
        return set(reasons) - silent, silent


@contextmanager
def forwarders(*regions):
    """Between two regions, both ways, each a process."""
    with ExitStack() as running:
        for home, peer in (regions, regions[::-1]):
            prefixes = ("--topic-prefix", home.job.prefix, "--peer-topic-prefix", peer.job.prefix)
            servers = ("--bootstrap-servers", home.broker.bootstrap, "--peer-bootstrap-servers", peer.broker.bootstrap)
            running.enter_context(
                attribution("forward", *servers, *prefixes, "--region", home.name, "--peer", peer.name)
            )
        yield


@contextmanager
def babble(job, peer):
    """A region that says nonsense without a pause, a hundred times a second."""
    stopped = Event()
    topic = from_region(peer, prefix=job.prefix)

    def say():
        while not stopped.wait(0.01):
            job.send_to(topic, b"nonsense")

    speaker = Thread(target=say)
    speaker.start()
    try:
        yield
    finally:
        stopped.set()
        speaker.join()


def wait_for(happened, what):
    wait_until(happened, what, timeout_s=PATIENCE_S)


def test_a_region_that_is_cut_off_costs_answers_and_no_flow(broker, real_peer, cluster, tmp_path):
    simulation = simulate(scenario("hostile", (*PARAMETERS, "regions=2")), seed=5)
    history = History.of(simulation, span="none")
    regions = tmp_path / "regions.csv"
    regions.write_text("\n".join(["prefix,region", *map(",".join, simulation.region_rows())]))
    names = ("region-1", "region-2")
    begin_ms, last_ms = min(end_of(FLOW, history.tables[FLOW])), history.latest_ms
    # No piece has rows of before and after a cut.
    first_ms, second_ms = (int(at) // PERIOD_MS * PERIOD_MS for at in np.linspace(begin_ms, last_ms, 4)[1:3])
    one, two = (
        Region(name, peer, broker=at, cluster=cluster, folder=tmp_path / name, history=history, regions=regions)
        for name, peer, at in zip(names, names[::-1], (broker, real_peer), strict=True)
    )
    assert len(one.crossing) > 100 < len(two.crossing)
    for region in (one, two):
        region.job.start()
    with forwarders(one, two):
        for region in (one, two):
            region.send(0, first_ms)
        for region in (one, two):
            wait_for(lambda region=region: region.answered()[0], f"an answer to {region.name}")
    before = [len(region.answered()[0]) for region in (one, two)]

    for region in (one, two):
        region.send(first_ms, second_ms)
    for region in (one, two):
        wait_for(lambda region=region: len(region.answered()[1]) > 20, f"silence for {region.name}")

    with forwarders(one, two):
        for region in (one, two):
            region.send(second_ms, last_ms + HOUR_MS)
        for region in (one, two):
            wait_for(lambda region=region: set(region.answers()) == region.numbers, f"all flows of {region.name}")
        for region, earlier in zip((one, two), before, strict=True):
            answered, silent = region.answered()
            assert answered | silent == region.crossing
            assert len(answered) > earlier
            for number, answer in region.answers().items():
                if number not in silent:
                    assert answer == history.expected[int(number)], number
                    assert answer.remote.reason != SILENT
            wait_for(lambda region=region: count(cluster, region.job, "answers_unasked") > 0, "late answers")
            assert count(cluster, region.job, "flows_pending") == 0
            assert count(cluster, region.job, "flows_forwarded") == len(region.crossing)
            region.job.stop()


def test_a_region_that_never_pauses_holds_no_time_back(broker, cluster, tmp_path):
    regions = tmp_path / "regions.csv"
    regions.write_text("prefix,region\n10.1.0.0/16,east\n10.2.0.0/16,west\n")
    options = {"report_delay": "10s", "region": "east", "regions": str(regions), "buckets": 2}
    job = LiveJob(broker, cluster, tmp_path, stream=options, peers=["west"])
    with babble(job, "west"):
        job.start()
        letters = Counter(json.loads(letter)["reason"] for letter in job.received(DEAD_LETTER, 200))
        assert set(letters) == {"not_arrow"}
        job.send(HEARTBEAT, batch(HEARTBEAT, [Heartbeat("10.1.0.2", None, "b", None, T0 - MINUTE, T0 + MINUTE)]))
        job.send(FLOW, batch(FLOW, [Flow(T0, T0 + 1, "10.1.0.1", None, "10.1.0.2", None, local_workload="a")]))
        job.say_time(T0 // 1000 + HOUR_MS)
        (rows,) = job.attributed(1)
        assert rows.column("remote_workload").to_pylist() == ["b"]
    job.stop()
