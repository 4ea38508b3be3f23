"""Feeds through the job's stages: what comes out, what does not, and what a crash changes."""

import json
from datetime import UTC, datetime
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import HOUR, Settings
from attribution.errors import ConfigError
from attribution.sources import Ledger, read
from attribution.testing import ABORT, CHECKPOINT, Watermark, run, watermark

SERVER, BALANCER, POOLED = "10.0.0.2", "192.0.2.9", "198.51.100.7"
POOLS = Settings(pool_prefixes=("198.51.100.0/24",))


def at(minute, second=0):
    return f"2026-03-02T10:{minute:02}:{second:02}Z"


def heartbeat(minute, workload="checkout", address=SERVER):
    return "heartbeats", {"address": address, "workload": workload, "start": at(minute), "end": at(minute, 30)}


def flow(minute, remote=SERVER, number=None, **fields):
    row = {"start": at(minute, 10), "end": at(minute, 20), "local_address": "10.0.0.1", "local_workload": "shop"}
    row |= {"remote_address": remote, "remote_port": 443, "protocol": 6, "direction": "egress"}
    return "flows", row | {"observer": str(minute if number is None else number)} | fields


def answers(result):
    """The remote workload of each flow, or why there is none, by the number of the flow."""
    found = [(int(row["observer"]), row["remote_workload"] or row["remote_reason"]) for row in result.rows]
    assert len(found) == len(dict(found)), "a flow came twice"
    return dict(found)


def test_a_heartbeat_names_the_flow_that_it_covers():
    result = run([heartbeat(0), flow(0), flow(9)])
    assert answers(result) == {0: "checkout", 9: "gap"}
    assert {row["local_workload"] for row in result.rows} == {"shop"}
    assert (result.dead_letters, result.held) == ([], 0)
    assert datetime(2026, 3, 2, 10, 0, 10, tzinfo=UTC) in [row["start"] for row in result.rows]
    assert {row["workload"] for row in result.ranges} == {"checkout", "shop"}


NAME = {"hostname": "x.example", "server_address": SERVER, "client_address": "10.0.0.1", "time": at(0), "ttl": 60}
EVENT = {"address": BALANCER, "owner": "balancer", "action": "assign", "time": at(0)}
POLICY = {"policy": "europe", "pool": "blue", "prefix": "198.51.100.0/24", "start": at(0)}
RULE = {"rule": "web", "prefix": "198.51.100.0/24", "service": "shop", "priority": 1, "start": at(0)}


@pytest.mark.parametrize(
    ("topic", "row", "remote", "field", "expected"),
    [
        ("name-bindings", NAME, SERVER, "remote_hostname", "x.example"),
        ("assignments", EVENT, BALANCER, "remote_workload", "balancer"),
        ("policies", POLICY, POOLED, "remote_pool", "blue"),
        ("socket-rules", RULE, POOLED, "remote_service", "shop"),
    ],
)
def test_every_topic_has_its_say(topic, row, remote, field, expected):
    result = run([flow(0, remote), (topic, row)], settings=POOLS)
    assert (result.rows[0][field], result.dead_letters) == (expected, [])


def test_labels_are_configuration():
    result = run([flow(0, BALANCER)], labels=[{"prefix": "192.0.2.0/24", "service": "partner"}])
    assert [row["remote_service"] for row in result.rows] == ["partner"]


ROWS = [heartbeat(minute)[1] for minute in (0, 1)]
TIMES = [{name: datetime.fromisoformat(row[name]) for name in ("start", "end")} for row in ROWS]
TABLE = pa.Table.from_pylist([row | times for row, times in zip(ROWS, TIMES, strict=True)])


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        [row | times for row, times in zip(ROWS, TIMES, strict=True)],
        "\n".join(map(json.dumps, ROWS)),
        json.dumps(ROWS).encode(),
        TABLE,
        TABLE.combine_chunks().to_batches()[0],
        pa.concat_tables([TABLE.slice(1), TABLE.slice(0, 1)]),
    ],
)
def test_a_message_may_be_rows_or_text_or_bytes_or_arrow_data(content):
    result = run([("heartbeats", content), flow(0), flow(1)])
    assert (answers(result), result.dead_letters) == ({0: "checkout", 1: "checkout"}, [])


def test_what_was_read_from_a_log_can_be_fed(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for _, row in (flow(0), heartbeat(0), flow(9))))
    assert answers(run(read([log], ledger=Ledger()))) == {0: "checkout", 9: "gap"}


def test_rows_that_cannot_be_used_are_dead_letters_and_the_others_go_on():
    bad = [("heartbeats", {"address": "x"}), ("heartbeats", b"nothing"), ("heartbeats", flow(0)[1])]
    outside = ("policies", [POLICY | {"prefix": "203.0.113.0/24"}])
    result = run([*bad, outside, CHECKPOINT, heartbeat(0), flow(0), ABORT], settings=POOLS)
    found = [(letter.topic, letter.row, letter.reason) for letter in result.dead_letters]
    assert found == [
        ("heartbeats", 1, "not_an_address"),
        ("heartbeats", None, "malformed"),
        ("heartbeats", 1, "wrong_kind"),
        ("policies", None, "outside_pools"),
    ]
    assert answers(result) == {0: "checkout"}


def test_a_flow_waits_until_the_watermark_is_hold_past_its_end():
    feed = [heartbeat(0), flow(0)]
    assert (run(feed, finish=False).rows, run(feed, finish=False).held) == ([], 1)
    early = run([*feed, watermark(at(4, 19))], finish=False)
    assert (early.rows, early.held) == ([], 1)
    late = run([*feed, watermark(at(4, 20))], finish=False)
    assert (answers(late), late.held) == ({0: "checkout"}, 0)


def test_evidence_that_comes_too_late_names_nobody():
    feed = [heartbeat(0, "other", "10.0.0.3"), flow(0), watermark(at(10)), heartbeat(0)]
    assert answers(run(feed)) == {0: "unknown"}


def test_a_flow_that_comes_after_its_evidence_was_forgotten_is_too_old():
    settings = Settings(retention=HOUR)
    feed = [heartbeat(0), watermark("2026-03-02T12:00:00Z"), flow(0)]
    assert answers(run(feed, settings=settings)) == {0: "too_old"}


@pytest.mark.parametrize("place", range(5))
def test_a_crash_loses_and_repeats_no_flow(place):
    feed = [heartbeat(0), flow(0), watermark(at(5)), flow(9)]
    feed.insert(place, ABORT)
    assert answers(run(feed)) == {0: "checkout", 9: "gap"}


def test_a_feed_is_read_once():
    assert answers(run(iter([heartbeat(0), CHECKPOINT, flow(0), ABORT, flow(9), ABORT]))) == {0: "checkout", 9: "gap"}


MESSAGES = [
    heartbeat(0), flow(0), flow(2, local_workload=None), heartbeat(1, "cart", "10.0.0.4"), flow(1, "10.0.0.4"),
    ("assignments", EVENT), flow(3, BALANCER), watermark(at(6)), ("name-bindings", NAME), heartbeat(7), flow(7),
    flow(8, BALANCER), watermark(at(12)), flow(9, "10.0.0.4"), heartbeat(14), flow(14),
]  # fmt: skip


def everything(result):
    return sorted(map(repr, result.rows)), sorted(map(repr, result.ranges)), result.dead_letters


@cache
def undisturbed():
    return everything(run(MESSAGES))


HAPPENINGS = st.lists(st.tuples(st.integers(0, len(MESSAGES)), st.sampled_from([ABORT, CHECKPOINT])), max_size=4)


@given(HAPPENINGS, st.integers(1, 3))
def test_checkpoints_and_crashes_change_nothing_wherever_they_happen(happenings, buckets):
    feed = []
    for place in range(len(MESSAGES) + 1):
        feed += [what for where, what in happenings if where == place]
        feed += MESSAGES[place : place + 1]
    assert everything(run(feed, buckets=buckets)) == undisturbed()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (("flow", {}), "cannot send a message to the topic 'flow': the topics are flows, heartbeats"),
        (("heartbeats",), "cannot run the item"),
        ({"address": SERVER}, "cannot run the item"),
        (("heartbeats", {"address": {1, 2}}), r"cannot write \{1, 2\} as JSON"),
    ],
)
def test_what_is_no_item_of_a_feed_is_refused(item, message):
    with pytest.raises(ConfigError, match=message):
        run([item])


def test_a_watermark_is_text_or_a_datetime_or_microseconds():
    moment = datetime(2026, 3, 2, 10, tzinfo=UTC)
    number = int(moment.timestamp()) * 1_000_000
    assert watermark("2026-03-02T10:00:00Z") == watermark(moment) == watermark(number) == Watermark(number)
    for wrong in ("soon", "2026-03-02T10:00:00", datetime(2026, 3, 2)):  # noqa: DTZ001 (what is refused)
        with pytest.raises(ConfigError, match="watermark"):
            watermark(wrong)


@pytest.mark.parametrize("buckets", [0, -1, (1 << 15) + 1])
def test_a_number_of_buckets_that_cannot_be_is_refused(buckets):
    with pytest.raises(ConfigError, match="give a number from 1 to 32768"):
        run([flow(0)], buckets=buckets)


@pytest.mark.parametrize("moment", [None, 1.5, 1 << 70, [0]])
def test_a_watermark_that_is_no_moment_is_refused(moment):
    with pytest.raises(ConfigError, match="cannot use the watermark"):
        watermark(moment)


@pytest.mark.parametrize("content", [3, None, [3], {"a"}])
def test_content_that_is_no_message_is_refused(content):
    with pytest.raises(ConfigError, match="give bytes, text, a row, a list of rows, or Arrow data"):
        run([("flows", content)])


def test_a_topic_that_is_no_text_is_refused():
    with pytest.raises(ConfigError, match="the topics are"):
        run([(["flows"], flow(0)[1])])


def test_labels_are_checked_as_those_of_a_file():
    remote = "198.51.100.9"
    labelled = run([flow(0, remote=remote)], labels=[{"prefix": "198.51.100.0/24", "service": "docs"}])
    assert [row["remote_service"] for row in labelled.rows] == ["docs"]
    for wrong in ({"prefix": "none", "service": "x"}, {"prefix": "198.51.100.0/24"}, {"prefix": 5, "service": "x"}):
        with pytest.raises(ConfigError, match=r"cannot use the labels: .* in row 1"):
            run([flow(0, remote=remote)], labels=[wrong])
