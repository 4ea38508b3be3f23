"""A replay from files to the lake: the same rows however the work is cut, whole results or none."""

import json
import os
import resource
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from attribution.config import HOUR, MINUTE, SECOND, Settings
from attribution.errors import LakeError, RejectLimitError, SourceError
from attribution.replay import Inputs, Limits, replay
from attribution.schema import arrow_schema

T0 = 1_767_225_600 * SECOND
ADDRESSES = [f"10.0.0.{i}" for i in range(40)] + ["2001:db8::7"]


def history(folder, *, hours=9, seed=5):
    """Heartbeats every minute with losses, owners that change, some single ports; flows of both bases; DNS answers."""
    rng = np.random.default_rng(seed)
    beats = []
    for number, address in enumerate(ADDRESSES):
        owner, at, end = 0, T0, T0 + hours * HOUR
        while at < end:
            tenure_end = at + int(rng.integers(5, 90)) * MINUTE
            port = 8080 if number % 7 == 0 and owner % 2 else None
            row = {
                "address": address,
                "port": port,
                "protocol": port and 6,
                "workload": f"w{number}-{owner}",
                "service": f"s{number % 5}",
            }
            beats += [
                row | {"start": t, "end": t + int(rng.integers(0, 20)) * SECOND, "observer": None}
                for t in range(at, min(tenure_end, end), MINUTE)
                if rng.random() > 0.2
            ]
            at, owner = tenure_end + int(rng.choice([0, 30, 400])) * SECOND, owner + 1
    flows = []
    for _ in range(4000):
        start = T0 + int(rng.integers(0, hours * HOUR))
        length = int(rng.choice([0, SECOND, MINUTE, 3 * HOUR]))
        flows.append(
            {
                "start": start,
                "end": start + length,
                "local_address": str(rng.choice(ADDRESSES)),
                "remote_address": str(rng.choice([*ADDRESSES, "192.0.2.1"])),
                "remote_port": int(rng.choice([8080, 443])),
                "basis": "window" if length == MINUTE else "connection",
            }
        )
    names = [
        {"client_address": f["local_address"], "server_address": f["remote_address"], "hostname": f"h{i % 3}.example"}
        | {"time": f["start"] - SECOND, "ttl": 30.0}
        for i, f in enumerate(flows[::5])
    ]
    paths = {}
    for kind, rows in (("heartbeat", beats), ("flow", flows), ("name_binding", names)):
        order = rng.permutation(len(rows))
        schema = arrow_schema(kind)
        full = [{name: rows[i].get(name) for name in schema.names} for i in order]
        paths[kind] = folder / f"{kind}.parquet"
        pq.write_table(pa.Table.from_pylist(full, schema=schema), paths[kind], row_group_size=500)
    return paths


def run(paths, out, **limits):
    inputs = Inputs(flows=[paths["flow"]], heartbeats=[paths["heartbeat"]], name_bindings=[paths["name_binding"]])
    return replay(inputs, out, limits=Limits(**limits))


def rows_of(lake, kind):
    """The rows of one folder of the lake as a multiset."""
    names = arrow_schema(kind).names
    table = ds.dataset(lake / f"{kind}s", format="parquet").to_table(columns=names)
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in table.to_pylist())


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return history(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def whole(paths, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "lake"
    summary = run(paths, out)
    assert summary.slabs == 1
    assert summary.tally.flows == 4000
    return out


def test_a_history_cut_into_slabs_gives_the_same_rows(paths, whole, tmp_path):
    summary = run(paths, tmp_path / "lake", evidence_rows=3000, flow_bytes=0)
    assert summary.slabs > 3
    for kind in ("attributed_flow", "ownership_range"):
        assert rows_of(tmp_path / "lake", kind) == rows_of(whole, kind)


@pytest.mark.parametrize("seed", [6, 7, 8])
@pytest.mark.parametrize("in_order", [True, False])
def test_slabs_give_the_same_rows_where_evidence_is_forgotten_and_flows_are_heartbeats(tmp_path, in_order, seed):
    paths = history(tmp_path, seed=seed)
    flows = pq.read_table(paths["flow"])
    if in_order:
        flows = flows.sort_by("start")
    # Every other flow names who held its local address in some tenure: evidence that agrees with others, or does not.
    holder = pa.array([f"w{address[7:]}-{i % 5}" if i % 2 else None for i, address in enumerate(_local(flows))])
    flows = flows.set_column(flows.schema.get_field_index("local_workload"), "local_workload", holder)
    pq.write_table(flows, paths["flow"], row_group_size=200)
    settings = Settings(retention=HOUR)
    inputs = Inputs(flows=[paths["flow"]], heartbeats=[paths["heartbeat"]], name_bindings=[paths["name_binding"]])
    slabs = {}
    for name, rows in (("whole", 1_000_000), ("cut", 4000)):
        slabs[name] = replay(inputs, tmp_path / name, settings=settings, limits=Limits(evidence_rows=rows)).slabs
    assert slabs["whole"] == 1
    assert slabs["cut"] > 3
    for kind in ("attributed_flow", "ownership_range", "name_binding"):
        assert rows_of(tmp_path / "cut", kind) == rows_of(tmp_path / "whole", kind)


def test_slabs_give_the_same_rows_where_addresses_are_in_several_networks(tmp_path):
    paths = history(tmp_path, seed=9)
    for kind, fields in (("heartbeat", ("network",)), ("flow", ("local_network", "remote_network"))):
        table = pq.read_table(paths[kind])
        for field in fields:
            # Each address is in `east` and `west`, and now and then a record does not say where.
            named = pa.array([("east", "east", "west", "west", None)[i * 7 % 19 % 5] for i in range(table.num_rows)])
            if field != "remote_network":
                table = table.set_column(table.schema.get_field_index(field), field, named)
        pq.write_table(table, paths[kind], row_group_size=200)
    settings = Settings(retention=HOUR, routes=("east,-",))
    inputs = Inputs(flows=[paths["flow"]], heartbeats=[paths["heartbeat"]], name_bindings=[paths["name_binding"]])
    limits = {"whole": Limits(), "cut": Limits(evidence_rows=4000)}
    slabs = {name: replay(inputs, tmp_path / name, settings=settings, limits=limits[name]).slabs for name in limits}
    assert slabs["whole"] == 1
    assert slabs["cut"] > 3
    for kind in ("attributed_flow", "ownership_range", "name_binding"):
        assert rows_of(tmp_path / "cut", kind) == rows_of(tmp_path / "whole", kind)
    reasons = {json.loads(row)["remote_reason"] for row in rows_of(tmp_path / "whole", "attributed_flow")}
    assert {"other_network", "several_networks", "covered", "bridged"} <= reasons


def test_what_a_route_led_to_is_no_word_of_the_log_for_a_later_run(tmp_path):
    beat = {
        "address": "10.0.0.2",
        "workload": "db",
        "network": "b",
        "start": "2026-03-02T00:00:00Z",
        "end": "2026-03-02T01:00:00Z",
    }
    flow = {
        "start": "2026-03-02T00:30:00Z",
        "end": "2026-03-02T00:30:09Z",
        "local_address": "10.0.0.1",
        "local_network": "a",
    }
    paths = {name: tmp_path / f"{name}.jsonl" for name in ("flow", "beat")}
    paths["flow"].write_text(json.dumps(flow | {"remote_address": "10.0.0.2", "protocol": 6, "local_workload": "web"}))
    paths["beat"].write_text(json.dumps(beat))
    for flows, routes, expected in (
        ([paths["flow"]], ("a,b",), ("db", "b", None)),
        ([tmp_path / "lake-0" / "attributed_flows"], (), (None, None, None)),
    ):
        lake = tmp_path / f"lake-{len(list(tmp_path.glob('lake-*')))}"
        replay(Inputs(flows=flows, heartbeats=[paths["beat"]]), lake, settings=Settings(routes=routes))
        (row,) = map(json.loads, rows_of(lake, "attributed_flow"))
        assert tuple(row[f"remote_{name}"] for name in ("workload", "evidence_network", "network")) == expected


def _local(flows):
    return flows.column("local_address").to_pylist()


def test_heartbeats_that_say_the_same_need_no_slabs(paths, whole, tmp_path):
    beats = pq.read_table(paths["heartbeat"])
    pq.write_table(pa.concat_tables([beats] * 5), tmp_path / "beats.parquet")
    again = paths | {"heartbeat": tmp_path / "beats.parquet"}
    summary = run(again, tmp_path / "lake", evidence_rows=3 * beats.num_rows)
    assert summary.slabs == 1
    for kind in ("attributed_flow", "ownership_range"):
        assert rows_of(tmp_path / "lake", kind) == rows_of(whole, kind)


def test_workers_change_no_row(paths, whole, tmp_path):
    run(paths, tmp_path / "lake", workers=3)
    assert rows_of(tmp_path / "lake", "attributed_flow") == rows_of(whole, "attributed_flow")


def test_every_row_is_in_the_hour_in_which_it_starts(whole):
    dataset = ds.dataset(whole / "attributed_flows", format="parquet", partitioning="hive")
    for row in dataset.to_table(columns=["start", "date", "hour"]).to_pylist():
        assert (f"{row['start']:%Y-%m-%d}", row["start"].hour) == (row["date"], row["hour"])


def test_nothing_but_the_lake_is_left(whole):
    assert sorted(p.name for p in whole.iterdir()) == [
        "attributed_flows",
        "lake.json",
        "name_bindings",
        "ownership_ranges",
    ]
    assert [p.name for p in whole.parent.iterdir()] == ["lake"]


def test_a_second_run_replaces_the_first(paths, tmp_path):
    run(paths, tmp_path / "lake")
    table = pq.read_table(paths["flow"]).slice(0, 10)
    pq.write_table(table, tmp_path / "few.parquet")
    summary = replay(Inputs(flows=[tmp_path / "few.parquet"]), tmp_path / "lake")
    assert summary.tally.flows == 10
    assert sum(rows_of(tmp_path / "lake", "attributed_flow").values()) == 10
    assert not (tmp_path / "lake" / "ownership_ranges").exists()


def test_a_folder_that_is_no_lake_is_left_alone(paths, tmp_path):
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(LakeError, match="holds other files"):
        run(paths, precious.parent)
    assert precious.read_text() == "years of work"


def test_a_run_that_fails_leaves_the_lake_as_it_was(paths, tmp_path):
    run(paths, tmp_path / "lake")
    before = rows_of(tmp_path / "lake", "attributed_flow")
    with pytest.raises(SourceError):
        replay(Inputs(flows=[tmp_path / "missing.parquet"]), tmp_path / "lake")
    bad = tmp_path / "bad.jsonl"
    bad.write_text(
        '{"nonsense": 1}\n' * 50 + '{"local_address": "10.0.0.1", "remote_address": "10.0.0.2", "start": 1}\n'
    )
    with pytest.raises((RejectLimitError, SourceError)):
        replay(Inputs(flows=[bad], format="native"), tmp_path / "lake")
    assert rows_of(tmp_path / "lake", "attributed_flow") == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_full_disk_is_said_and_leaves_nothing(paths, tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from attribution.replay import Inputs, replay\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))\n"
        "replay(Inputs(flows=[sys.argv[1]]), Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(paths["flow"]), str(tmp_path / "lake")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "LakeError: cannot write the lake" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_flows_with_a_known_local_side_are_evidence_for_the_others(tmp_path):
    flow = {
        "local_address": "10.0.0.1",
        "remote_address": "10.0.0.2",
        "start": T0,
        "end": T0 + MINUTE,
        "basis": "connection",
    }
    known = flow | {
        "local_address": "10.0.0.2",
        "remote_address": "10.0.0.1",
        "local_workload": "w",
        "local_service": "s",
    }
    schema = arrow_schema("flow")
    rows = [{name: row.get(name) for name in schema.names} for row in (flow | {"start": T0 + 9 * SECOND}, known)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "flows.parquet")
    for heartbeats, expected in ((True, "w"), (False, None)):
        replay(Inputs(flows=[tmp_path / "flows.parquet"]), tmp_path / "lake", flows_are_heartbeats=heartbeats)
        table = ds.dataset(tmp_path / "lake" / "attributed_flows", format="parquet").to_table()
        assert table.column("remote_workload").to_pylist().count("w") == (1 if expected else 0)


def test_a_flow_log_among_the_heartbeats_is_evidence_and_is_not_attributed(tmp_path):
    flow = {"start": T0, "end": T0 + MINUTE, "basis": "connection"}
    asked = flow | {"start": T0 + 9 * SECOND, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    known = flow | {
        "local_address": "10.0.0.2",
        "remote_address": "10.0.0.1",
        "local_workload": "w",
        "local_service": "s",
    }
    schema = arrow_schema("flow")
    for name, row in (("asked", asked), ("known", known)):
        table = pa.Table.from_pylist([{field: row.get(field) for field in schema.names}], schema=schema)
        pq.write_table(table, tmp_path / f"{name}.parquet")
    inputs = Inputs(flows=[tmp_path / "asked.parquet"], heartbeats=[tmp_path / "known.parquet"])
    assert replay(inputs, tmp_path / "lake", flows_are_heartbeats=False).tally.flows == 1
    table = ds.dataset(tmp_path / "lake" / "attributed_flows", format="parquet").to_table()
    assert table.column("remote_workload").to_pylist() == ["w"]


def test_what_a_flow_log_shows_beside_its_flows_is_no_evidence_either_where_its_names_are_not_trusted(tmp_path):
    reply = {
        "time": "2026-03-02T10:00:00Z",
        "verdict": "FORWARDED",
        "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
        "l4": {"TCP": {"source_port": 443, "destination_port": 40000}},
        "source": {"ID": 7, "namespace": "shop", "pod_name": "web-0"},
        "is_reply": True,
    }
    request = reply | {"IP": {"source": "10.0.0.9", "destination": "10.0.0.1"}, "source": {}, "is_reply": False}
    (tmp_path / "hubble.jsonl").write_text("".join(json.dumps({"flow": flow}) + "\n" for flow in (reply, request)))
    for trusted, expected in ((True, "shop/web-0"), (False, None)):
        inputs = Inputs(flows=[tmp_path / "hubble.jsonl"])
        replay(inputs, tmp_path / "lake", settings=Settings(clock_tolerance=0), flows_are_heartbeats=trusted)
        table = ds.dataset(tmp_path / "lake" / "attributed_flows", format="parquet").to_table()
        assert table.column("remote_workload").to_pylist() == [expected]


@pytest.mark.parametrize("limits", [Limits(), Limits(evidence_rows=2000)])
def test_progress_says_what_share_is_done(paths, tmp_path, limits):
    inputs = Inputs(flows=[paths["flow"]], heartbeats=[paths["heartbeat"]], name_bindings=[paths["name_binding"]])
    told = []
    replay(inputs, tmp_path / "lake", limits=limits, progress=lambda *report: told.append(report))
    phases = [phase for phase, _, _ in told]
    assert phases == sorted(phases, key=["reading", "attributing"].index)
    for phase in ("reading", "attributing"):
        rows, shares = zip(*[report[1:] for report in told if report[0] == phase], strict=True)
        assert list(rows) == sorted(rows)
        assert list(shares) == sorted(shares)
        assert 0 <= shares[0] <= 0.5 < shares[-1] <= 1
    assert told[-1] == ("attributing", 4000, 1)


def test_what_comes_through_a_pipe_is_counted_in_rows_only(paths, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    flow = {"start": T0, "end": T0, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(json.dumps(flow)), daemon=True)
    writer.start()
    told = []
    inputs = Inputs(flows=[tmp_path / "pipe"], heartbeats=[paths["heartbeat"]])
    replay(inputs, tmp_path / "lake", progress=lambda *report: told.append(report))
    writer.join()
    assert {share for phase, _, share in told if phase == "reading"} == {None}
    assert told[-1] == ("attributing", 1, 1)


def test_settings_are_kept_with_the_lake(paths, tmp_path):
    settings = Settings(max_gap=10 * MINUTE, hold=20 * MINUTE)
    replay(Inputs(flows=[paths["flow"]]), tmp_path / "lake", settings=settings)
    manifest = json.loads((tmp_path / "lake" / "lake.json").read_text())
    assert Settings.from_dict(manifest["settings"]) == settings
    assert manifest["summary"]["flows"] == 4000


def test_memory_is_not_in_the_way_of_open_files(paths, tmp_path):
    # A history in no order touches every hour at once: more hours than may be open.
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 24
    shifted = pq.read_table(paths["flow"])
    step = pa.array(np.arange(shifted.num_rows) % 60 * HOUR)
    for name in ("start", "end"):
        moved = pa.array(shifted.column(name).cast(pa.int64()).to_numpy() + step.to_numpy()).cast(
            shifted.schema.field(name).type
        )
        shifted = shifted.set_column(shifted.schema.get_field_index(name), shifted.schema.field(name), moved)
    pq.write_table(shifted, tmp_path / "flows.parquet")
    summary = replay(Inputs(flows=[tmp_path / "flows.parquet"]), tmp_path / "lake")
    assert summary.tally.flows == 4000
    assert sum(rows_of(tmp_path / "lake", "attributed_flow").values()) == 4000
