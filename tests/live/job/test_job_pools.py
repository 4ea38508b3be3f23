"""Addresses that policies hand out: what goes where, and the same rows from the stages of the job as from a replay."""

import json
import random
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from agility import EDGE, SETTINGS, agility, rows_by_number, table
from fake_runtime import Runtime, opened
from pyflink.common import Row

from attribution.replay import Inputs, Limits, replay
from attribution.schema import ATTRIBUTED_FLOW, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE, arrow_schema
from attribution.stream.buckets.partitioning import bucket_of
from attribution.stream.buckets.payload import unpack_rows
from attribution.stream.job.attribute import Attribute
from attribution.stream.job.decode import Decode
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import DEAD_LETTERS, LOCAL_SIDE, TIMES
from attribution.stream.job.split import Splitter
from attribution.stream.wire import codec
from attribution.testing import EmbeddedStream

BUCKETS = 4


def one_batch(rows):
    (batch,) = rows.combine_chunks().to_batches()
    return batch


def replayed(history, folder, **limits):
    paths = {}
    for kind, rows in history.tables.items():
        paths[kind] = folder / f"{kind}.parquet"
        pq.write_table(rows, paths[kind])
    inputs = Inputs(
        flows=[paths[FLOW]],
        heartbeats=[paths[HEARTBEAT]],
        name_bindings=[paths[NAME_BINDING]],
        policies=[paths[POLICY]],
        socket_rules=[paths[SOCKET_RULE]],
    )
    summary = replay(inputs, folder / "lake", settings=history.settings, limits=Limits(**limits))
    lake = ds.dataset(folder / "lake" / "attributed_flows", partitioning=None)
    found = lake.to_table().select(arrow_schema(ATTRIBUTED_FLOW).names).cast(arrow_schema(ATTRIBUTED_FLOW))
    return rows_by_number(found.to_batches()), summary


@pytest.mark.parametrize("seed", range(4))
def test_the_stages_give_the_rows_of_a_replay_in_whatever_order_things_come(tmp_path, seed):
    history = agility(seed)
    expected, summary = replayed(history, tmp_path)
    assert len({row["hostname_reason"] for row in expected}) == 5
    reasons = {row[f"{side}_reason"] for row in expected for side in ("local", "remote")}
    assert {"dispatched", "rule_change", "pooled", "unpooled", "reported", "covered"} <= reasons
    assert {row["local_policy_state"] for row in expected} == {None, "in_force", "elsewhere", "ended"}
    named = Counter(row["hostname_reason"] for row in expected)
    assert {name: count for name, count in summary.metrics().items() if name.startswith("hostname.")} == {
        f"hostname.{reason}": count for reason, count in named.items()
    }

    chosen = random.Random(seed)
    pieces = [
        (kind, batch) for kind, rows in history.tables.items() for batch in rows.to_batches(max_chunksize=seed * 30 + 1)
    ]
    chosen.shuffle(pieces)
    stream = EmbeddedStream(history.settings, buckets=BUCKETS)
    for kind, batch in pieces:
        stream.send(kind, batch)
        if chosen.random() < 0.02:
            stream.settle()
            stream.crash()
    stream.finish()
    assert rows_by_number(stream.attributed) == expected


def test_slabs_of_time_change_no_row(tmp_path):
    history = agility(7)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    expected, _ = replayed(history, tmp_path / "whole")
    found, summary = replayed(history, tmp_path / "cut", evidence_rows=300)
    assert found == expected
    assert summary.slabs > 1


def entries(kind, rows):
    splitter = Splitter(SETTINGS, buckets=BUCKETS)
    return [(entry.stage, entry.bucket, *unpack_rows(entry.content)) for entry in splitter.split(kind, one_batch(rows))]


@pytest.mark.parametrize("kind", [POLICY, SOCKET_RULE])
def test_configuration_goes_to_every_bucket_of_both_stages(kind):
    rows = agility(1).tables[kind]
    found = entries(kind, rows)
    assert Counter((stage, bucket) for stage, bucket, *_ in found) == {
        (stage, bucket): 1 for stage in ("local", "remote") for bucket in range(BUCKETS)
    }
    assert all(kept == kind and batch.to_pylist() == rows.to_pylist() for _, _, kept, batch in found)


def place(address):
    return int(bucket_of(pa.array([address]), BUCKETS)[0])


def test_a_name_goes_to_its_servers_bucket_and_to_the_local_stage_too_where_that_is_of_a_pool():
    told = {"client_address": "10.1.0.1", "hostname": "a.example", "time": 1}
    rows = table(NAME_BINDING, [told | {"server_address": address} for address in ("192.0.2.1", "10.0.0.1")])
    found = {(stage, bucket, row["server_address"]) for stage, bucket, _, batch in entries(NAME_BINDING, rows)
             for row in batch.to_pylist()}  # fmt: skip
    assert found == {
        ("remote", place("192.0.2.1"), "192.0.2.1"),
        ("local", place("192.0.2.1"), "192.0.2.1"),
        ("remote", place("10.0.0.1"), "10.0.0.1"),
    }


def test_a_captured_flow_of_a_pool_address_passes_the_local_stage_and_is_no_heartbeat():
    flow = {"start": 1, "end": 2, "remote_address": "10.1.0.1", "basis": "connection", "local_workload": "w"}
    rows = table(FLOW, [flow | {"local_address": address} for address in ("192.0.2.1", "10.0.0.1")])
    found = [
        (stage, kind, row.get("local_address", row.get("address")))
        for stage, _, kind, batch in entries(FLOW, rows)
        for row in batch.to_pylist()
    ]
    assert sorted(found) == [
        ("local", FLOW, "192.0.2.1"),
        ("local", HEARTBEAT, "10.0.0.1"),
        ("remote", FLOW, "10.0.0.1"),
        ("remote", HEARTBEAT, "10.0.0.1"),
    ]


def message(rows, topic, time_ms):
    class Reported:
        def to_epoch_milli(self):
            return time_ms

    return json.dumps(rows).encode(), topic, 0, 3, Reported()


def test_a_policy_outside_of_the_pool_space_is_a_dead_letter_and_configuration_says_no_time():
    kinds = {"policies": POLICY, "flows": FLOW}
    runtime = Runtime()
    decode = opened(Decode(kinds, SETTINGS, StreamOptions(buckets=BUCKETS)), runtime)
    policy = {"policy": "a", "pool": "b"}
    given = [policy | {"prefix": prefix} for prefix in (EDGE, "192.0.2.0/27", "10.0.0.0/8", "192.0.2.4/30")]
    said = list(decode.process_element(message(given, "policies", 5), None))
    letters = [json.loads(value) for tag, value in said if tag is DEAD_LETTERS]
    assert [(letter["reason"], letter["found"]) for letter in letters] == [
        ("outside_pools", "2 policies, the first of 192.0.2.0/27")
    ]
    assert runtime.metrics.counted() == {"rows_in": 2, "dead_letters": 2}
    assert not [value for tag, value in said if tag is TIMES]
    assert sum(tag is LOCAL_SIDE for tag, _ in said) == BUCKETS
    empty = codec.empty(POLICY), *message([], "policies", 5)[1:]
    assert list(decode.process_element(empty, None)) == [(TIMES, Row(0, ("policies", 0, 5)))]


def test_the_operator_counts_why_flows_have_a_name():
    history = agility(3, flows=50)
    runtime = Runtime()
    labels = arrow_schema(LABEL).empty_table()
    options = StreamOptions(buckets=1)
    operator = opened(Attribute("remote", history.settings, options, labels), runtime)
    local = EmbeddedStream(history.settings, buckets=1)
    for kind, rows in history.tables.items():
        local.send(kind, one_batch(rows))
    local.finish()
    for rows in local.attributed:
        operator._metrics.count(rows)
    counted = {name: n for name, n in runtime.metrics.counted().items() if name.startswith("hostname.")}
    expected = Counter(row["hostname_reason"] for row in rows_by_number(local.attributed))
    assert counted == {f"hostname.{reason}": n for reason, n in expected.items()}


def test_a_pool_that_is_not_configured_is_learnt_from_the_policies_of_a_replay(tmp_path):
    history = agility(2)
    expected, _ = replayed(history, tmp_path)
    (tmp_path / "again").mkdir()
    bare = replace(history, settings=replace(history.settings, pool_prefixes=("198.51.100.4/30",)))
    found, _ = replayed(bare, tmp_path / "again")
    assert found == expected
