"""Networks that a person gives to inputs: whom they are given to, what takes them, and what is none."""

import json
import re

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from attribution.config import Settings
from attribution.errors import ConfigError, SourceError
from attribution.records import INPUT_RECORDS
from attribution.replay import replay
from attribution.schema import FLOW, HEARTBEAT, LABEL
from attribution.sources import Ledger, read
from attribution.sources.inputs import Inputs
from attribution.sources.records.network_names import filled
from attribution.stream.publish.publish import _read

T0 = 1_767_225_600_000_000
MOMENT = {"start": T0, "end": T0}
ROWS = {
    "flow": MOMENT | {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"},
    "heartbeat": MOMENT | {"address": "10.0.0.1", "workload": "w"},
    "assignment": {"address": "10.0.0.1", "owner": "o", "action": "assign", "time": T0},
    "name_binding": {"hostname": "a", "client_address": "10.0.0.1", "server_address": "10.0.0.2", "time": T0},
    "label": {"prefix": "10.0.0.0/8", "service": "s"},
    "policy": {"policy": "p", "pool": "q", "prefix": "10.0.0.0/8", "start": T0},
    "socket_rule": {"rule": "r", "prefix": "10.0.0.0/8", "service": "s", "start": T0},
}
#: The records that hold in every network if they name none.
EVERYWHERE = {"label", "policy", "socket_rule"}


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """Two folders, each with a file of all kinds."""
    monkeypatch.chdir(tmp_path)
    for name in ("east", "west"):
        file = tmp_path / "logs" / name / "records.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS.values()))
    return tmp_path


def taken(inputs, given_as=FLOW):
    """Of each source and kind of record, the network that its rows have; the local one of flows."""
    found = {}
    kinds = next(kinds for kind, _, kinds in inputs.sources() if kind == given_as)
    for batch in read(inputs.of(given_as), ledger=Ledger(), kinds=kinds, network=inputs.network_of(given_as)):
        column = batch.batch.column("local_network" if batch.kind == FLOW else "network")
        found.setdefault((batch.source, batch.kind), []).extend(column.to_pylist())
        if batch.kind == FLOW:
            assert batch.batch.column("remote_network").null_count == batch.batch.num_rows
    return found


@pytest.mark.usefixtures("folder")
def test_a_name_alone_is_for_all_inputs_but_for_what_holds_everywhere():
    found = taken(Inputs(flows=["logs/east"], networks=["east"]))
    assert {kind for _, kind in found} == set(INPUT_RECORDS)
    assert {kind for (_, kind), networks in found.items() if networks == [None]} == EVERYWHERE
    assert all(networks == ["east"] for (_, kind), networks in found.items() if kind not in EVERYWHERE)


@pytest.mark.usefixtures("folder")
def test_a_kind_s_name_is_for_what_is_given_as_that_kind():
    inputs = Inputs(flows=["logs/east"], heartbeats=["logs/west"], networks=["flows=east", "heartbeats=west"])
    assert taken(inputs)["logs/east/records.jsonl", HEARTBEAT] == ["east"]
    assert taken(inputs)["logs/east/records.jsonl", LABEL] == [None]
    assert taken(inputs, HEARTBEAT)["logs/west/records.jsonl", HEARTBEAT] == ["west"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["labels", "policies", "socket_rules", "socket-rules"])
def test_what_holds_everywhere_holds_in_one_network_if_that_is_said_of_its_kind(kind):
    plural = kind.replace("-", "_")
    inputs = Inputs(**{plural: ["logs/east"]}, networks=["all", f"{kind}=east"])
    ((given_as, _, _),) = inputs.sources()
    assert {network for networks in taken(inputs, given_as).values() for network in networks} == {"east"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("place", ["logs/east", "logs/east/records.jsonl", "logs/e*", "logs/**/east/*", "./logs/east/"])
def test_a_path_s_name_is_for_its_files_of_whatever_kind(place):
    found = taken(Inputs(flows=["logs"], networks=[f"{place}=east"]))
    assert {(source, *networks) for (source, _), networks in found.items()} == {
        ("logs/east/records.jsonl", "east"),
        ("logs/west/records.jsonl", None),
    }


def test_a_path_comes_before_a_kind_and_a_kind_before_all(folder):
    inputs = Inputs(
        flows=["logs"], heartbeats=["logs/east"], networks=["all", "flows=kind", f"{folder / 'logs' / 'east'}=path"]
    )
    assert taken(inputs)["logs/east/records.jsonl", FLOW] == ["path"]
    assert taken(inputs)["logs/west/records.jsonl", FLOW] == ["kind"]
    assert inputs.network_of(HEARTBEAT)("elsewhere", HEARTBEAT) == "all"


def test_the_last_sign_parts_path_and_name_and_a_dot_tells_a_path_from_a_kind(folder):
    for place in ("day=1", "flows"):
        (folder / place).write_text(json.dumps(ROWS["flow"]) + "\n")
    assert taken(Inputs(flows=["day=1"], networks=["day=1=east"]))["day=1", FLOW] == ["east"]
    inputs = Inputs(flows=["flows", "day=1"], networks=["./flows=east"])
    assert taken(inputs) == {("flows", FLOW): ["east"], ("day=1", FLOW): [None]}


@pytest.mark.usefixtures("folder")
def test_standard_input_is_a_path_too():
    network = Inputs(flows=["-", "logs"], networks=["-=east"]).network_of(FLOW)
    assert (network("<stdin>", FLOW), network("logs/east/records.jsonl", FLOW)) == ("east", None)


def test_what_a_record_names_itself_stays(folder):
    rows = [ROWS["flow"] | {"local_network": network} for network in ("west", "", None)]
    rows += [ROWS["heartbeat"] | {"network": "west"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = taken(Inputs(flows=["rows.jsonl"], networks=["east"]))
    assert found == {("rows.jsonl", FLOW): ["west", "east", "east"], ("rows.jsonl", HEARTBEAT): ["west"]}


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("values", [["west", None], [None, None], ["west", "west"]])
def test_a_filled_column_keeps_its_rows(encoded, values):
    column = pa.array(values, pa.string())
    batch = pa.record_batch({"network": column.dictionary_encode() if encoded else column, "workload": ["a", "b"]})
    after = filled(HEARTBEAT, batch, "east")
    after.validate(full=True)
    assert after.column("network").to_pylist() == [value or "east" for value in values]
    assert after.column("workload").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["flows="], "'' is no name of a network"),
        (["-"], "'-' is no name of a network"),
        (["flows=a,b"], "'a,b' is no name of a network"),
        (["heartbeats=east"], "there are no inputs of --heartbeats"),
        (
            ["heartbeat=east"],
            "none of the kinds flows, heartbeats, assignments, name-bindings, labels, policies, socket-rules;",
        ),
        (["logs/north=east"], "logs/north is no file"),
        (["other=east"], "other is no file"),
        (["*.txt=east"], r"\*.txt is no file"),
        (["east", "west"], "the same input was given the network 'east'"),
        (["flows=east", "flows=west"], "the same input was given the network 'east'"),
        (["logs=east", "logs/west=west"], "the same input was given the network 'east'"),
    ],
)
def test_what_names_no_input_or_no_network_is_refused(folder, given, message):
    (folder / "other").write_text("not given")
    with pytest.raises(ConfigError, match=f"--network {re.escape(given[-1])}:.*{message}"):
        Inputs(flows=["logs"], networks=given).network_of(FLOW)


@pytest.mark.usefixtures("folder")
def test_an_input_that_is_not_there_is_said_to_be_so():
    with pytest.raises(SourceError, match="cannot read nowhere"):
        Inputs(flows=["nowhere"], networks=["nowhere=east"]).network_of(FLOW)


def test_one_text_in_place_of_a_list_is_refused():
    with pytest.raises(TypeError, match=r"takes a list of texts as networks, not 'east'; write \['east'\]"):
        Inputs(flows=["logs"], networks="east")


@pytest.mark.usefixtures("folder")
def test_the_same_may_be_said_twice():
    network = Inputs(flows=["logs"], networks=["logs/east=a", "logs/*/records.jsonl=a", "a", "a"]).network_of(FLOW)
    assert network("logs/west/records.jsonl", FLOW) == "a"


def test_a_cluster_s_names_take_the_network_that_is_given(folder):
    pod = {"namespace": "db", "ID": 1, "pod_name": "postgres-0", "workloads": [{"name": "postgres"}]}
    flow = {"time": "2026-03-02T10:00:00Z", "verdict": "FORWARDED", "Type": "L3_L4", "is_reply": False, "source": pod}
    flow |= {"IP": {"source": "10.1.0.5", "destination": "10.1.0.9"}, "traffic_direction": "EGRESS", "node_name": "n1"}
    for name in ("east", "west"):
        (folder / f"{name}.json").write_text(json.dumps({"flow": flow}) + "\n")
    inputs = Inputs(flows=["east.json", "west.json"], networks=["west.json=west"])
    batches = read(inputs.of(FLOW), ledger=Ledger(), kinds=(FLOW,), network=inputs.network_of(FLOW))
    rows = [row for batch in batches for row in batch.batch.to_pylist()]
    assert [(row["local_network"], row["local_workload"], row["local_service"]) for row in rows] == [
        (None, "db/postgres-0", "db/postgres"),
        ("west", "west/db/postgres-0", "west/db/postgres"),
    ]


def seen(workload, address, remote="10.0.0.9", **more):
    flow = {"start": T0, "end": T0 + 9_000_000, "protocol": 6, "basis": "connection", "local_workload": workload}
    return flow | {"local_address": address, "remote_address": remote, "local_network": None, **more}


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_replay_answers_in_the_networks_that_were_given_to_files(folder, suffix):
    files = {
        "east": [seen("a", "10.0.0.1"), seen("b", "10.0.0.2", remote="10.0.0.1")],
        "west": [seen("c", "10.0.0.1"), seen("d", "10.0.0.2", remote="10.0.0.1", local_network="north")],
    }
    for name, rows in files.items():
        path = folder / f"{name}.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    networks = [f"{name}.{suffix}={name}" for name in files]
    replay(Inputs(flows=[f"{name}.{suffix}" for name in files], networks=networks), folder / "lake")
    rows = ds.dataset(folder / "lake" / "attributed_flows", partitioning="hive").to_table().to_pylist()
    found = {row["local_workload"]: (row["local_network"], row["remote_workload"]) for row in rows}
    assert found == {"a": ("east", None), "b": ("east", "a"), "c": ("west", None), "d": ("north", None)}


@pytest.mark.usefixtures("folder")
def test_what_is_published_has_the_network_that_was_given():
    inputs = Inputs(flows=["logs/east"], heartbeats=["logs/west"], networks=["east", "heartbeats=west"])
    found = {}
    for part in _read(inputs, Settings(), Ledger(), flows_are_heartbeats=True):
        column = part.rows.column("local_network" if part.kind == FLOW else "network")
        found.setdefault(part.kind, []).extend(column.to_pylist())
    assert (found[FLOW], found[HEARTBEAT]) == (["east"], ["east", "west"])
    assert found["policy"] == found["socket_rule"] == [None]


def test_clusters_whose_nodes_have_one_address_repeat_nothing(folder):
    row = {"AgentIP": "10.1.0.1", "SrcAddr": "10.0.0.5", "DstAddr": "10.0.0.9", "SrcPort": 40000, "DstPort": 443}
    row |= {"Proto": 6, "Etype": 2048, "TimeFlowStartMs": T0 // 1000, "TimeFlowEndMs": T0 // 1000, "FlowDirection": 1}
    row |= {"Bytes": 1, "Packets": 1, "Interface": "eth0", "IfDirection": 1}
    for name in ("east", "west"):
        (folder / f"{name}.json").write_text(json.dumps(row | {"SrcMac": name}) + "\n")
    given = Inputs(flows=["east.json", "west.json"], networks=["east.json=east", "west.json=west"])
    told = [row | {"K8S_ClusterName": name} for name in ("east", "west")]
    (folder / "told.json").write_text("".join(json.dumps(one) + "\n" for one in told))
    for inputs in (given, Inputs(flows=["told.json"])):
        found = taken(inputs)
        assert sorted(network for networks in found.values() for network in networks) == ["east", "west"]
