"""What `attribution inspect` prints, one small input for each kind of finding; `--update-goldens` rewrites the answers.

The expected texts stand in `goldens/`. Read them as a person would who sees these logs for the first time.
"""

import json
import re
from pathlib import Path

import pytest
from pods import DAY, listed, pod
from verbs import run

GOLDENS = Path(__file__).parent / "goldens"


def at(minute, second=0):
    return f"2026-03-02T{10 + minute // 60:02}:{minute % 60:02}:{second:02}Z"


def flow(minute, remote="10.0.0.2", **more):
    fields = {"start": at(minute), "end": at(minute, 5), "local_address": "10.0.0.1", "local_port": 40000}
    fields |= {"remote_address": remote, "remote_port": 443, "protocol": 6, "observer": "host-1"}
    return fields | more


def beat(minute, address="10.0.0.2", workload="b-1", **more):
    return {"address": address, "workload": workload, "start": at(minute), "end": at(minute)} | more


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


NAMED = {"local_workload": "a-1", "basis": "connection"}
FLOWS = [flow(minute, **NAMED) for minute in range(30)]
BEATS = [beat(minute) for minute in range(30)]

VPC_2 = "123456789010 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 840"
HUBBLE = {
    "time": at(0),
    "verdict": "FORWARDED",
    "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
    "l4": {"TCP": {"source_port": 40000, "destination_port": 443}},
    "node_name": "east/n1",
    "uuid": "u1",
    "source": {"ID": 7, "namespace": "shop", "pod_name": "cart-0"},
    "destination": {"namespace": "shop", "pod_name": "pay-0"},
}
GOFLOW2 = {
    "type": "NETFLOW_V9", "time_received_ns": 1772445600000000000, "sampler_address": "192.0.2.1", "sampling_rate": 100,
    "time_flow_start_ns": 1772445590000000000, "time_flow_end_ns": 1772445595000000000, "bytes": 1, "packets": 1,
    "src_addr": "10.0.0.1", "dst_addr": "10.0.0.2", "etype": "IPv4",
}  # fmt: skip
CONN = {
    "_path": "conn", "ts": 1772445600.0, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 40000,
    "id.resp_h": "10.0.0.2", "id.resp_p": 443, "proto": "tcp", "duration": 1.0, "conn_state": "SF",
}  # fmt: skip
NETOBSERV = {
    "TimeFlowStartMs": 1772445600000, "TimeFlowEndMs": 1772445605000, "SrcAddr": "10.0.0.1", "DstAddr": "10.0.0.2",
    "SrcPort": 40000, "DstPort": 443, "Proto": 6, "Etype": 2048, "AgentIP": "192.168.0.1", "IfDirection": 0,
}  # fmt: skip
METADATA_LEVEL = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Event", "level": "Metadata", "stage": "ResponseComplete", "verb": "patch",
    "objectRef": {"resource": "pods", "subresource": "status"}, "responseStatus": {"code": 200},
}  # fmt: skip


def without(record, *names):
    return {name: value for name, value in record.items() if name not in names}


#: Case -> the files of its folder.
CASES = {
    "nothing_is_wrong": {"flows.jsonl": jsonl(FLOWS), "beats.jsonl": jsonl(BEATS)},
    "no_flows": {"beats.jsonl": jsonl(BEATS)},
    "no_evidence": {"flows.jsonl": jsonl(flow(minute) for minute in range(3))},
    "no_ports": {
        "flows.jsonl": jsonl(without(one, "remote_port", "local_port") for one in FLOWS),
        "beats.jsonl": jsonl(BEATS),
    },
    "hubble_without_ids": {"events.jsonl": jsonl([{"flow": HUBBLE | {"source": {}}}])},
    "hubble_without_times": {"events.jsonl": jsonl([{"flow": without(HUBBLE, "time")}])},
    "vpc_default_format": {"vpc.log": f"2 {VPC_2} 1772445600 1772445660 ACCEPT OK\n"},
    "vpc_two_formats": {
        "custom.log": "vpc-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol start end "
        "flow-direction\n"
        "vpc-1 eni-2 10.0.0.1 10.0.0.2 10.0.0.1 10.0.0.2 40000 443 6 1772445600 1772445660 egress\n",
        "default.log": f"2 {VPC_2} 1772445600 1772445660 ACCEPT OK\n",
    },
    "a_log_beside_evidence_that_says_nothing": {
        "flows.jsonl": jsonl(FLOWS),
        "pods.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod", "metadata": {}}]}),
    },
    "zeek_conn_alone": {"conn.log": jsonl([CONN])},
    "netobserv_before_names": {"flows.json": jsonl([NETOBSERV])},
    "goflow2_without_ports": {"flows.json": jsonl([GOFLOW2])},
    "audit_events_without_pods": {
        "audit.log": jsonl([METADATA_LEVEL, METADATA_LEVEL]),
        "flows.jsonl": jsonl(flow(minute) for minute in range(3)),
    },
    "pod_lists_without_times": {
        "pods.json": listed(pod()).replace(DAY, "2026-02-28T"),
        "flows.jsonl": jsonl(flow(minute, "10.1.0.7") for minute in range(3)),
    },
    "evidence_of_another_day": {
        "flows.jsonl": jsonl(flow(minute) for minute in range(3)),
        "beats.jsonl": jsonl(
            one | {name: one[name].replace("03-02", "03-01") for name in ("start", "end")} for one in BEATS
        ),
    },
    "evidence_of_a_part_of_the_time": {
        "flows.jsonl": jsonl(flow(minute, **NAMED | {"local_workload": None}) for minute in range(60)),
        "beats.jsonl": jsonl(BEATS),
    },
    "flows_name_networks": {
        "flows.jsonl": jsonl(one | {"local_network": "vpc-1"} for one in FLOWS),
        "beats.jsonl": jsonl(BEATS),
    },
    "evidence_names_networks": {
        "flows.jsonl": jsonl(FLOWS),
        "beats.jsonl": jsonl(one | {"network": "east"} for one in BEATS),
    },
    "two_networks": {
        "flows.jsonl": jsonl(one | {"local_network": "west"} for one in FLOWS),
        "beats.jsonl": jsonl(one | {"network": "east"} for one in BEATS),
    },
    "some_flows_name_networks": {
        "flows.jsonl": jsonl([*FLOWS, flow(30, local_network="east", **NAMED)]),
        "beats.jsonl": jsonl(BEATS),
    },
    "two_names_of_one_workload": {
        "flows.jsonl": jsonl(FLOWS),
        "beats.jsonl": jsonl([*BEATS, *(beat(minute, "10.0.0.1", "uid-of-a-1") for minute in range(30))]),
    },
    "an_address_that_changed_hands": {
        "flows.jsonl": jsonl(FLOWS),
        "beats.jsonl": jsonl(
            [*BEATS, beat(0, "10.0.0.1", "x", start="2026-03-02T09:50:00Z", end="2026-03-02T09:51:00Z")]
        ),
    },
    "one_heartbeat": {"flows.jsonl": jsonl(FLOWS), "beats.jsonl": jsonl(BEATS[:1])},
    "rare_heartbeats": {"flows.jsonl": jsonl(FLOWS), "beats.jsonl": jsonl(BEATS[::10])},
    "private_addresses_without_heartbeats": {
        "flows.jsonl": jsonl([*FLOWS[:1], *(flow(minute, f"10.0.1.{minute}", **NAMED) for minute in range(20))]),
        "beats.jsonl": jsonl(BEATS),
    },
    "public_addresses_without_labels": {
        "flows.jsonl": jsonl([*FLOWS[:1], *(flow(minute, f"8.8.{minute}.8", **NAMED) for minute in range(20))]),
        "beats.jsonl": jsonl(BEATS),
    },
    "labels_cover_prefixes": {
        "flows.jsonl": jsonl([*FLOWS[:1], *(flow(minute, f"8.8.{minute}.8", **NAMED) for minute in range(20))]),
        "labels.csv": "prefix,service\n8.8.0.0/16,dns\n",
        "beats.jsonl": jsonl(BEATS),
    },
    "a_clock_that_is_hours_late": {
        "flows.jsonl": jsonl(one | {"received": one["end"].replace("T10", "T18")} for one in FLOWS),
        "beats.jsonl": jsonl(BEATS),
    },
    "a_clock_that_is_ahead_of_the_collector": {
        "flows.jsonl": jsonl([*FLOWS, flow(1, received=at(0), **NAMED)]),
        "beats.jsonl": jsonl(BEATS),
    },
    "times_of_exports": {
        "flows.jsonl": jsonl(one | {"basis": "export", "start": one["end"]} for one in FLOWS),
        "beats.jsonl": jsonl(BEATS),
    },
    "a_sampling_rate_that_is_not_known": {
        "flows.jsonl": jsonl(one | {"sampling_rate": 0} for one in FLOWS),
        "beats.jsonl": jsonl(BEATS),
    },
    "a_gap_in_time": {"flows.jsonl": jsonl(flow(minute, **NAMED) for minute in [*range(40), *range(300, 340)])},
    "files_that_are_no_logs": {
        "flows.jsonl": jsonl(FLOWS),
        "README.txt": "This folder has logs.\n",
        "cut.gz": "\x1f",
        "empty.log": "",
        "notes.zip": "PK\x03\x04",
    },
    "rejected_rows": {"flows.jsonl": jsonl([*FLOWS, flow(1, remote_port=99999), flow(2, remote_port=99999)]) + "{\n"},
    "a_copy": {"a.jsonl": jsonl(FLOWS), "b.jsonl": jsonl(FLOWS)},
    "many_files": {f"{number:02}.jsonl": jsonl([flow(number, **NAMED)]) for number in range(30)},
}
#: Cases in which some rows cannot be used.
REJECTED = {"hubble_without_times", "files_that_are_no_logs", "rejected_rows"}


def inspected(folder, files, *arguments):
    """What is printed of a folder of files, run from its parent as `logs`."""
    (folder / "logs").mkdir()
    for name, content in files.items():
        (folder / "logs" / name).write_bytes(content.encode("latin-1"))
    return run("inspect", "logs", *arguments)


@pytest.mark.parametrize("case", CASES)
def test_a_person_reads_what_the_logs_hold(case, tmp_path, monkeypatch, update_goldens):
    monkeypatch.chdir(tmp_path)
    result = inspected(tmp_path, CASES[case])
    path = GOLDENS / f"{case}.txt"
    if update_goldens:
        path.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == path.read_text(encoding="utf-8")
    assert result.exit_code == (3 if case in REJECTED else 0)


def test_every_kind_of_finding_is_explained_and_has_a_case():
    page = Path(__file__).parents[2].joinpath("docs/how-to/inspect.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    modules = Path(__file__).parents[2].glob("attribution/inspection/*findings.py")
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    made = set(re.findall(r"Finding\(\s*\"(\w+)\"", source))
    assert explained == made


def test_no_golden_is_left_of_a_case_that_is_gone():
    assert {path.stem for path in GOLDENS.glob("*.txt")} == set(CASES)
