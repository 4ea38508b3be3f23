"""Jobs of several regions, without Flink: a flow between two is asked about, answered, and counted once."""

import itertools
import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from history import History, found
from oracle import Assignment, Flow, Heartbeat, NameBinding
from records import batch
from region_jobs import RegionJob, forward

from attribution.config import MINUTE, SECOND, Settings
from attribution.schema import ANSWER, ASSIGNMENT, FLOW, HEARTBEAT, NAME_BINDING, QUESTION, arrow_schema
from attribution.stream.job_metrics import REGION_METRICS
from attribution.stream.regions.region_file import read_regions
from attribution.stream.wire import codec
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

T0 = 1_767_225_600 * SECOND
REGIONS = "prefix,region\n10.1.0.0/16,east\n10.2.0.0/16,west\n10.3.0.0/16,north\n"
EAST, WEST, NORTH = "10.1.0.1", "10.2.0.1", "10.3.0.1"
PATIENCE_MS = 20 * 60_000


@pytest.fixture
def regions(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text(REGIONS)
    return path


@pytest.fixture
def east(regions):
    return RegionJob("east", regions, Settings())


@pytest.fixture
def west(regions):
    job = RegionJob("west", regions, Settings())
    job.send(HEARTBEAT, batch(HEARTBEAT, [Heartbeat(WEST, None, "w", "cart", T0 - MINUTE, T0 + MINUTE)]))
    return job


def flow(remote, **more):
    values = {"local_workload": "e", "protocol": 6, "basis": "connection", "observer": remote} | more
    return Flow(T0, T0 + SECOND, values.pop("local_address", EAST), 4000, remote, 443, **values)


def flows_of(job):
    return [row for value in job.written["flows"] for row in pa.ipc.open_stream(value).read_all().to_pylist()]


#: What is said of no remote side here.
UNSAID = dict.fromkeys(
    ("address", "port", "wire_address", "wire_port", "network", "evidence_network", "pool", "policy", "policy_state")
)


def remote(row):
    return {name.removeprefix("remote_"): row[name] for name in row if name.startswith("remote_")} | {
        "address": None,
        "port": None,
    }


def letters(job):
    return [
        (letter["kind"], letter["reason"], letter["found"]) for letter in map(json.loads, job.written["dead-letters"])
    ]


def asked(job, *flows):
    """Let a job see flows, and their hold be over."""
    job.send(FLOW, batch(FLOW, flows))
    job.advance(T0 + 10 * MINUTE)


def test_a_flow_to_another_region_is_attributed_there_and_comes_out_at_home_once(east, west):
    east.send(NAME_BINDING, batch(NAME_BINDING, [NameBinding(EAST, WEST, "cart.example", T0, 60.0)]))
    asked(east, flow(WEST, local_service="shop"))
    assert flows_of(east) == []
    assert len(forward(east, west)) == 1
    west.advance(T0 + 10 * MINUTE)
    assert len(forward(west, east)) == 1
    (row,) = flows_of(east)
    assert (row["local_workload"], row["local_method"], row["observer"]) == ("e", "capture", WEST)
    expected = {"workload": "w", "service": "cart", "method": "heartbeat", "reason": "covered", "distance": 0}
    assert remote(row) == expected | UNSAID | {"hostname": "cart.example"}
    assert flows_of(west) == []
    assert not any(job.written[job.to(peer)] for job in (east, west) for peer in job.border.peers)
    answered = {"attributed.remote.heartbeat.covered": 1, "hostname.told": 1}
    assert east.counted("ask") == {"flows_forwarded": 1} | answered
    assert east.counted("remote") == {}
    assert east.runtimes["ask"].metrics.shown("flows_pending") == 0
    assert west.counted("remote") == {"questions_answered": 1}
    assert west.counted("receive") == {"questions_in": 1}
    assert east.counted("receive") == {"answers_in": 1}


def test_an_answer_waits_for_the_watermark_of_the_region_that_gives_it(east, west):
    asked(east, flow(WEST))
    forward(east, west)
    west.advance(T0 + MINUTE)
    assert forward(west, east) == []
    west.advance(T0 + SECOND + Settings().hold)
    assert len(forward(west, east)) == 1


def test_what_nobody_answers_goes_out_unattributed_and_a_late_answer_changes_nothing(east, west):
    asked(east, flow(WEST), flow(NORTH))
    questions = forward(east, west)
    east.wait(PATIENCE_MS)
    assert flows_of(east) == []
    east.wait(1)
    rows = flows_of(east)
    assert sorted(row["observer"] for row in rows) == [WEST, NORTH]
    nothing = {"workload": None, "service": None, "method": "none", "reason": "region_silent", "distance": None}
    assert [remote(row) for row in rows] == 2 * [nothing | UNSAID | {"hostname": None}]
    assert len(questions) == 1
    west.advance(T0 + 10 * MINUTE)
    forward(west, east)
    assert len(flows_of(east)) == 2
    counted = {"flows_forwarded": 2, "attributed.remote.none.region_silent": 2, "answers_unasked": 1}
    assert east.counted("ask") == counted | {"hostname.untold": 2}


def test_questions_and_answers_that_come_twice_change_nothing(east, west):
    asked(east, flow(WEST))
    (question,) = forward(east, west)
    west.hear("east", question)
    west.advance(T0 + 10 * MINUTE)
    answers = forward(west, east)
    east.hear("west", answers[0])
    assert len(flows_of(east)) == 1
    assert sum(pa.ipc.open_stream(answer).read_all().num_rows for answer in answers) == 2
    assert east.counted("ask")["answers_unasked"] == 3


def test_open_flows_outlive_a_crash_and_wait_as_long_again(east, west):
    asked(east, flow(WEST), flow(WEST, observer="second"), flow(NORTH))
    forward(east, west)
    west.advance(T0 + 10 * MINUTE)
    east.wait(PATIENCE_MS - 1)
    east.crash()
    forward(west, east)
    assert {row["observer"]: row["remote_reason"] for row in flows_of(east)} == {WEST: "covered", "second": "covered"}
    east.crash()
    # The timer of before the crash fires too early.
    east.wait(2)
    assert len(flows_of(east)) == 2
    east.wait(PATIENCE_MS + 1)
    assert [row["remote_reason"] for row in flows_of(east)[2:]] == ["region_silent"]


def test_what_a_region_says_is_believed_within_its_own_prefixes_only(east, west):
    asked(east, flow(WEST))
    (question,) = forward(east, west)
    # The same question in the topic of another region; and one about a third region's address.
    west.hear("north", question)
    other = pa.ipc.open_stream(question).read_all().to_batches()[0]
    about = other.set_column(other.schema.get_field_index("remote_address"), "remote_address", pa.array([NORTH]))
    for message in codec.encode(QUESTION, about):
        west.hear("east", message.value)
    found = [("question", "foreign_prefix", f"1 rows of {who}, the first about {to}") for who, to in
             (("north", WEST), ("east", NORTH))]  # fmt: skip
    assert letters(west) == found
    assert west.counted("receive") == {"questions_in": 1, "dead_letters": 2}
    west.advance(T0 + 10 * MINUTE)
    (answer,) = forward(west, east)
    east.written["flows"].clear()
    asked(east, flow(WEST, observer="again"))
    # West's answer in the topic of north; and one of west about an address of north.
    east.hear("north", answer)
    assert letters(east) == [("answer", "foreign_prefix", f"1 rows of north, the first about {WEST}")]
    assert flows_of(east) == []


def test_an_answer_of_another_than_was_asked_finds_no_flow(east):
    asked(east, flow(WEST))
    (value,) = east.written["to-west"]
    question = pa.ipc.open_stream(value).read_all().to_pylist()[0]
    for peer, address, row in (("north", NORTH, 0), ("west", "10.2.0.9", 0), ("west", WEST, 1)):
        answer = {"question": question["question"], "row": row, "remote_address": address, "remote_workload": "x"}
        rows = pa.RecordBatch.from_pylist([answer | {"remote_reason": "covered"}], schema=arrow_schema(ANSWER))
        for message in codec.encode(ANSWER, rows):
            east.hear(peer, message.value)
    assert flows_of(east) == []
    assert east.counted("ask")["answers_unasked"] == 3
    assert east.runtimes["ask"].metrics.shown("flows_pending") == 1


def test_an_answer_that_names_nobody_has_no_names(east):
    asked(east, flow(WEST))
    (value,) = east.written["to-west"]
    question = pa.ipc.open_stream(value).read_all().to_pylist()[0]
    answer = {"question": question["question"], "row": 0, "remote_address": WEST, "remote_workload": "x"}
    rows = pa.RecordBatch.from_pylist([answer | {"remote_reason": "conflict"}], schema=arrow_schema(ANSWER))
    for message in codec.encode(ANSWER, rows):
        east.hear("west", message.value)
    (row,) = flows_of(east)
    assert (row["remote_workload"], row["remote_method"], row["remote_reason"]) == (None, "none", "conflict")


@pytest.mark.parametrize("reason", ["reported", "region_silent", "nonsense"])
def test_a_reason_that_no_other_region_can_have_is_none(east, reason):
    answer = {"question": 1, "row": 0, "remote_address": WEST, "remote_reason": reason}
    rows = pa.RecordBatch.from_pylist([answer], schema=arrow_schema(ANSWER))
    for message in codec.encode(ANSWER, rows):
        east.hear("west", message.value)
    assert letters(east) == [("answer", "unknown_value", f"remote_reason='{reason}'")]


def test_what_is_neither_question_nor_answer_is_a_dead_letter(east):
    for value in (None, b"", b"{}", b"\xff\xff\xff\xff cut off", codec.empty(FLOW)):
        east.hear("west", value)
    assert [reason for _, reason, _ in letters(east)] == ["not_arrow"] * 4 + ["unknown_kind"]
    assert east.counted("receive") == {"dead_letters": 5}


def test_evidence_about_addresses_of_another_region_is_not_taken(east):
    liar = Heartbeat(WEST, None, "liar", None, T0 - MINUTE, T0 + MINUTE)
    own = Heartbeat(EAST, None, "own", None, T0 - MINUTE, T0 + MINUTE)
    nowhere = Heartbeat("192.0.2.1", None, "n", None, T0 - MINUTE, T0 + MINUTE)
    east.send(HEARTBEAT, batch(HEARTBEAT, [own, liar, nowhere, liar]))
    event = Assignment(WEST, None, "balancer", None, "assign", T0 - MINUTE)
    east.send(ASSIGNMENT, batch(ASSIGNMENT, [event]))
    found = [(HEARTBEAT, "foreign_prefix", f"2 rows, the first about {WEST}")]
    assert letters(east) == [*found, (ASSIGNMENT, "foreign_prefix", f"1 rows, the first about {WEST}")]
    assert east.counted("decode") == {"rows_in": 2, "dead_letters": 3}
    # A flow from such an address goes out, but is no heartbeat of it, and nobody can be asked about it.
    east.send(FLOW, batch(FLOW, [flow(NORTH, local_address=WEST), flow(EAST, local_address="192.0.2.1")]), span="start")
    assert letters(east)[2:] == []
    # Two that were sent, what the flow from nowhere shows of its address, and what it claims of its port.
    assert east.runtimes["remote"].metrics.shown("heartbeats_known") == 4
    east.advance(T0 + 10 * MINUTE)
    assert {row["observer"]: row["remote_reason"] for row in flows_of(east)} == {
        NORTH: "region_silent",
        EAST: "covered",
    }
    assert not any(east.written[east.to(peer)] for peer in east.border.peers)


def test_a_flow_of_a_region_that_came_after_the_start_goes_out_unasked(east, regions):
    regions.write_text(REGIONS + "10.4.0.0/16,south\n")
    east.border._looked_s = -1e9
    east.operators["remote"]._border._looked_s = -1e9
    asked(east, flow("10.4.0.1"))
    assert [row["remote_reason"] for row in flows_of(east)] == ["region_silent"]


def test_the_regions_are_read_again_when_the_file_changes_and_stay_when_it_is_broken(east, regions, caplog):
    def look():
        east.border._looked_s = -1e9
        found = east.border.foreign(pa.array([EAST, WEST, "10.9.0.1"])).tolist()
        return found, east.runtimes["decode"].metrics.shown("regions_failed")

    assert look() == ([False, True, False], 0)
    regions.write_text(REGIONS + "10.9.0.0/16,west\n")
    assert look() == ([False, True, True], 0)
    for broken in ("nonsense", "prefix,region\n10.2.0.0/16,west\n"):
        regions.write_text(broken)
        assert look() == look() == ([False, True, True], 1)
    assert len(caplog.records) == 2
    regions.unlink()
    assert look() == ([False, True, True], 1)
    regions.write_text(REGIONS)
    assert look() == ([False, True, False], 0)


def test_every_metric_of_regions_is_there(east):
    named = {name for runtime in east.runtimes.values() for name in runtime.metrics.values}
    assert set(REGION_METRICS) <= named


def test_three_regions_give_the_answers_that_one_has_with_all_evidence(tmp_path):
    parameters = ("connections=2000", "regions=3", "crossing_share=0.4", "capture_share=0.5", "window_share=0.3")
    simulation = simulate(scenario("hostile", (*parameters, "nat_share=0.8")), seed=3)
    history = History.of(simulation, span="none")
    path = tmp_path / "regions.csv"
    path.write_text("\n".join(["prefix,region", *map(",".join, simulation.region_rows())]))
    table = read_regions(path)
    jobs = [RegionJob(name, path, Settings(), labels=history.labels) for name in table.names]
    home = {ASSIGNMENT: "address", HEARTBEAT: "address", NAME_BINDING: "client_address", FLOW: "local_address"}
    for kind, rows in history.tables.items():
        for job in jobs:
            mine = rows.filter(pa.array(table.within(rows.column(home[kind]), job.border.region))).combine_chunks()
            for part in mine.to_batches(max_chunksize=500):
                job.send(kind, part)
    over = history.latest_ms * 1000 + 10 * MINUTE
    for step in range(3):
        for job in jobs:
            job.advance(over + step * MINUTE)
            job.crash()
        for home, peer in itertools.permutations(jobs, 2):
            forward(home, peer)
    assert [letters(job) for job in jobs] == [[], [], []]
    tables = [pa.ipc.open_stream(value).read_all() for job in jobs for value in job.written["flows"]]
    assert found(tables) == history.expected
    ends = [table.numbers(history.tables[FLOW].column(f"{side}_address")) for side in ("local", "remote")]
    assert ((ends[0] != ends[1]) & (ends[1] >= 0)).sum() > len(history.expected) / 3
    assert not any(job.runtimes["ask"].metrics.shown("flows_pending") for job in jobs)
    for job in jobs:
        numbers = {row["observer"] for row in flows_of(job)}
        mine = history.tables[FLOW].filter(pc.equal(history.tables[FLOW].column("region"), job.border.region))
        assert numbers == set(mine.column("observer").to_pylist())


OVERLAP = "prefix,region,network\n10.0.0.0/8,east,vpc-e\n10.0.0.0/8,west,vpc-w\n"


def networked(tmp_path, *routes):
    """Jobs of two regions that use one prefix, each in a network of its own, with a workload on one address in both."""
    path = tmp_path / "regions.csv"
    path.write_text(OVERLAP)
    jobs = [RegionJob(name, path, Settings(routes=routes)) for name in ("east", "west")]
    for job, network in zip(jobs, ("vpc-e", "vpc-w"), strict=True):
        held = Heartbeat("10.0.0.9", None, f"of-{network}", None, T0 - MINUTE, T0 + MINUTE, network=network)
        job.send(HEARTBEAT, batch(HEARTBEAT, [held]))
    return jobs


def overlapping(number, local, remote=None):
    return flow("10.0.0.9", local_address="10.0.0.1", observer=number, local_network=local, remote_network=remote)


def test_evidence_at_home_in_another_network_does_not_decide_whose_an_address_is(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text("prefix,region,network\n10.1.0.0/16,east,\n10.2.0.0/16,west,n1\n")
    east, west = (RegionJob(name, path, Settings(routes=("n1,n2",))) for name in ("east", "west"))
    for job, network in ((east, "n2"), (west, "n1")):
        held = Heartbeat(WEST, None, f"of-{network}", None, T0 - MINUTE, T0 + MINUTE, network=network)
        job.send(HEARTBEAT, batch(HEARTBEAT, [held]))
    asked(east, flow(WEST, local_network="n1"))
    assert answered(east, west) == {WEST: ("several_networks", None)}


def test_an_answer_that_networks_leave_open_closes_the_name(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text(REGIONS)
    east, west = (RegionJob(name, path, Settings()) for name in ("east", "west"))
    west.send(HEARTBEAT, batch(HEARTBEAT, [Heartbeat(WEST, None, "w", None, T0, T0 + MINUTE, network="n2")]))
    east.send(NAME_BINDING, batch(NAME_BINDING, [NameBinding(EAST, WEST, "cart.example", T0, 60.0, network="n1")]))
    flows = [flow(WEST, local_network="n1", observer="told"), flow(WEST, local_network="n1", hostname="its.own")]
    asked(east, *flows)
    assert answered(east, west) == dict.fromkeys(("told", WEST), ("other_network", None))
    names = {row["observer"]: (row["hostname_reason"], row["remote_hostname"]) for row in flows_of(east)}
    assert names == {"told": ("other_network", None), WEST: ("recorded", "its.own")}


def answered(east, west):
    forward(east, west)
    west.advance(T0 + 10 * MINUTE)
    forward(west, east)
    rows = {row["observer"]: row for row in flows_of(east)}
    return {
        number: (row["remote_workload"] or row["remote_reason"], row["remote_evidence_network"])
        for number, row in sorted(rows.items())
    }


def test_regions_that_have_one_prefix_in_networks_of_their_own_answer_for_their_network(tmp_path):
    east, west = networked(tmp_path)
    flows = [("own", "vpc-e", None), ("told", "vpc-e", "vpc-w"), ("unsaid", None, None), ("other", "vpc-x", None)]
    asked(east, *(overlapping(*one) for one in flows))
    assert answered(east, west) == {
        "other": ("other_network", None),
        "own": ("of-vpc-e", "vpc-e"),
        "told": ("of-vpc-w", "vpc-w"),
        "unsaid": ("other_network", None),
    }
    assert east.counted("ask")["flows_forwarded"] == 1
    assert letters(east) == letters(west) == []


def test_an_address_that_may_be_of_two_regions_is_asked_of_nobody_and_nobody_is_named(tmp_path):
    east, west = networked(tmp_path, "vpc-e,vpc-w")
    asked(east, overlapping("either", "vpc-e"), overlapping("told", "vpc-e", "vpc-w"))
    assert answered(east, west) == {"either": ("several_networks", None), "told": ("of-vpc-w", "vpc-w")}
    assert east.counted("ask")["flows_forwarded"] == 1


def test_evidence_of_another_regions_network_is_not_taken_and_an_answer_says_its_network(tmp_path):
    east, west = networked(tmp_path)
    rows = [Heartbeat("10.0.0.9", None, "liar", None, T0, T0, network=network) for network in ("vpc-w", "vpc-x", None)]
    east.send(HEARTBEAT, batch(HEARTBEAT, rows))
    assert letters(east) == [(HEARTBEAT, "foreign_prefix", "1 rows, the first about 10.0.0.9")]
    path = tmp_path / "regions.csv"
    path.write_text(REGIONS)
    east, west = (RegionJob(name, path, Settings(routes=("n1,n2",))) for name in ("east", "west"))
    west.send(HEARTBEAT, batch(HEARTBEAT, [Heartbeat(WEST, None, "w", None, T0 - MINUTE, T0 + MINUTE, network="n2")]))
    asked(east, flow(WEST, local_network="n1", observer="routed"), flow(WEST, local_network="n3", observer="apart"))
    assert answered(east, west) == {"apart": ("other_network", None), "routed": ("w", "n2")}


def test_regions_whose_addresses_overlap_entirely_give_the_answers_of_a_replay_or_none(tmp_path):
    parameters = ("connections=2000", "networks=2", "overlap=1", "crossing_share=0.4", "capture_share=0.5")
    simulation = simulate(scenario("hostile", (*parameters, "network_loss=0", "told_share=0.6")), seed=3)
    history = History.of(simulation, span="none")
    names = {"network-1": "east", "network-2": "west"}
    path = tmp_path / "regions.csv"
    rows = [f"{prefix},{region},{network}" for network, region in names.items() for prefix in ("0.0.0.0/0", "::/0")]
    path.write_text("\n".join(["prefix,region,network", *rows]))
    jobs = {name: RegionJob(name, path, history.settings, labels=history.labels) for name in names.values()}
    for kind, table in history.tables.items():
        network = table.column("local_network" if kind == FLOW else "network")
        assert set(network.unique().to_pylist()) == set(names), kind
        for name, region in names.items():
            for part in table.filter(pc.equal(network, name)).combine_chunks().to_batches(max_chunksize=500):
                jobs[region].send(kind, part)
    over = history.latest_ms * 1000 + 10 * MINUTE
    for step in range(3):
        for job in jobs.values():
            job.advance(over + step * MINUTE)
            job.crash()
        for home, peer in itertools.permutations(jobs.values(), 2):
            forward(home, peer)
    assert [letters(job) for job in jobs.values()] == [[], []]
    rows = found([pa.ipc.open_stream(value).read_all() for job in jobs.values() for value in job.written["flows"]])
    told = history.tables[FLOW].column("remote_network").to_pylist()
    unsure = unnamed = 0
    for row, expected, network in zip(rows, history.expected, told, strict=True):
        assert row.local == expected.local
        if row.remote.reason == "several_networks" != expected.remote.reason:
            # A route leaves open in which network the address is, and each region knows only its own.
            assert (row.remote.workload, row.remote.service, network) == (None, None, None)
            unsure += 1
        else:
            assert (row.remote, row.remote_evidence_network) == (expected.remote, expected.remote_evidence_network)
        if row.name != expected.name:
            # The home has the address in its own network, too, which closes the names of the other one.
            assert (row.name.hostname_reason, row.name.remote_hostname) == ("other_network", None)
            unnamed += 1
    assert 0 < unsure < len(rows) / 5
    assert unnamed < len(rows) / 2
    local = history.tables[FLOW].column("local_network").to_pylist()
    crossed = [row for row, home, network in zip(rows, local, told, strict=True) if network not in (None, home)]
    assert sum(row.remote.workload is not None for row in crossed) > 100


def test_a_log_that_is_mostly_done_is_written_anew(east, west, monkeypatch):
    monkeypatch.setattr("attribution.stream.regions.open_questions._REWRITE_FROM", 1)
    asked(east, *(flow(WEST, observer=str(number)) for number in range(9)), flow(NORTH))
    forward(east, west)
    log = east.runtimes["ask"].log
    assert len(log) == 2
    west.advance(T0 + 10 * MINUTE)
    forward(west, east)
    assert len(log) == 1
    east.crash()
    east.wake()
    assert east.runtimes["ask"].metrics.shown("flows_pending") == 1
