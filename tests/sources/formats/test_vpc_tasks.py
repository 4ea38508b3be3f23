"""ECS tasks in VPC flow logs: who held an interface's address, and for how long for certain."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_input import rows_of

from attribution.sources.formats.vpc.text import VpcText

DATA = Path(__file__).parents[1] / "data" / "aws"
NAMES = [
    *("interface-id", "srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr", "start", "end", "log-status", "action"),
    *("flow-direction", "ecs-cluster-name", "ecs-service-name", "ecs-task-arn", "ecs-task-id"),
]
SECOND = 1_000_000
T = 1_700_000_000


def log(*rows, names=NAMES):
    values = {
        "interface-id": "eni-0a",
        "srcaddr": "10.0.1.10",
        "dstaddr": "10.0.2.20",
        "pkt-srcaddr": "-",
        "pkt-dstaddr": "-",
        "start": str(T),
        "end": str(T + 300),
        "log-status": "OK",
        "action": "ACCEPT",
        "flow-direction": "egress",
        "ecs-cluster-name": "prod",
        "ecs-service-name": "checkout",
        "ecs-task-arn": "arn:task/1111",
        "ecs-task-id": "1111",
    }
    lines = [
        " ".join((values | {k.replace("_", "-"): str(v) for k, v in row.items()})[n] for n in names) for row in rows
    ]
    return " ".join(names) + "\n" + "".join(line + "\n" for line in lines)


def read(content, **options):
    rows, _ = rows_of(VpcText(), content, **options)
    return rows.get("flow", []), rows.get("heartbeat", [])


def test_a_task_held_its_address_for_certain_between_the_latest_first_and_the_earliest_last_packet():
    _, heartbeats = read(log({"start": T, "end": T + 300}))
    assert heartbeats == [
        {
            "address": "10.0.1.10",
            "workload": "arn:task/1111",
            "service": "prod/checkout",
            "start": T * SECOND + 999_999,
            "end": (T + 240) * SECOND,
            "observer": "eni-0a",
            "line": 2,
        }
    ]


def test_rows_of_one_minute_prove_something_only_together():
    first, last = (
        {"start": T, "end": T + 58},
        {"start": T + 241, "end": T + 299, "flow_direction": "ingress", "srcaddr": "10.0.2.20", "dstaddr": "10.0.1.10"},
    )
    assert read(log(first))[1] == []
    (heartbeat,) = read(log(last, first))[1]
    assert (heartbeat["start"], heartbeat["end"], heartbeat["line"]) == (
        T * SECOND + 999_999,
        (T + 239) * SECOND,
        2,
    )


def test_the_sample_of_version_7():
    flows, heartbeats = read((DATA / "vpc_v7_ecs.log").read_bytes())
    task = "arn:aws:ecs:eu-west-1:123456789010:task/prod/"
    assert [(f["local_address"], f.get("local_workload"), f.get("local_service")) for f in flows] == [
        ("10.0.1.10", task + "1111", "prod/checkout"),
        ("10.0.2.20", task + "2222", "prod/payments"),
        ("10.0.1.10", task + "1111", "prod/checkout"),
        ("10.0.3.30", None, None),
    ]
    assert [(h["address"], h["workload"]) for h in heartbeats] == [("10.0.1.10", task + "1111")]


def test_without_a_direction_nobody_knows_whose_address_it_is():
    names = [name for name in NAMES if name != "flow-direction"]
    flows, heartbeats = read(log({}, names=names))
    assert "local_workload" not in flows[0]
    assert heartbeats == []
    flows, heartbeats = read(log({"flow_direction": "-"}))
    assert "local_workload" not in flows[0]
    assert heartbeats == []


def test_a_packet_that_passes_through_the_interface_is_not_the_task_s():
    flows, heartbeats = read(log({"pkt_srcaddr": "192.0.2.1"}))
    assert (flows[0]["local_address"], flows[0].get("local_workload")) == ("192.0.2.1", None)
    assert heartbeats == []


def test_the_other_end_s_packet_address_does_not_matter():
    flows, heartbeats = read(log({"pkt_srcaddr": "10.0.1.10", "pkt_dstaddr": "192.0.2.1"}))
    assert (flows[0]["remote_address"], flows[0]["local_workload"]) == ("192.0.2.1", "arn:task/1111")
    assert len(heartbeats) == 1


def test_rejected_traffic_and_rows_without_data_show_nobody():
    assert read(log({"action": "REJECT"}, {"log_status": "NODATA"})) == ([], [])


def test_a_row_with_impossible_times_shows_nobody():
    assert read(log({"start": T + 600, "end": T}, {"start": "-"}, {"end": "soon"})) == ([], [])


def test_a_task_without_arn_is_named_by_its_id_and_a_service_without_cluster_by_itself():
    names = [name for name in NAMES if name not in {"ecs-task-arn", "ecs-cluster-name"}]
    _, (heartbeat,) = read(log({}, names=names))
    assert (heartbeat["workload"], heartbeat["service"]) == ("1111", "checkout")
    _, (heartbeat,) = read(log({"ecs_service_name": "-"}))
    assert "service" not in heartbeat
    _, (heartbeat,) = read(log({"ecs_cluster_name": "-"}))
    assert heartbeat["service"] == "checkout"


def test_two_tasks_at_one_address_are_both_said():
    _, heartbeats = read(log({}, {"ecs_task_arn": "arn:task/2222", "start": T + 400, "end": T + 900}))
    assert [(h["workload"], h["start"] // SECOND, h["end"] // SECOND) for h in heartbeats] == [
        ("arn:task/1111", T, T + 240),
        ("arn:task/2222", T + 400, T + 840),
    ]


row = st.fixed_dictionaries(
    {
        "start": st.integers(T, T + 900),
        "end": st.integers(T, T + 900),
        "ecs_task_arn": st.sampled_from(["arn:task/1111", "arn:task/2222", "-"]),
        "ecs_service_name": st.sampled_from(["checkout", "payments", "-"]),
        "flow_direction": st.sampled_from(["ingress", "egress", "-"]),
        "pkt_srcaddr": st.sampled_from(["-", "10.0.1.10", "192.0.2.1"]),
    }
)


def claims_of(rows):
    """The rule once more, row by row: from the latest moment of the first packet to the earliest of the last."""
    seen = {}
    for row in rows:
        passes = row["flow_direction"] == "egress" and row["pkt_srcaddr"] == "192.0.2.1"
        if row["flow_direction"] == "-" or row["ecs_task_arn"] == "-" or passes or row["end"] < row["start"]:
            continue
        address = "10.0.1.10" if row["flow_direction"] == "egress" else "10.0.2.20"
        service = None if row["ecs_service_name"] == "-" else f"prod/{row['ecs_service_name']}"
        seen.setdefault((address, row["ecs_task_arn"], service), []).append((row["start"], row["end"]))
    claims = {
        (key, min(s for s, _ in times) * SECOND + 999_999, (max(e for _, e in times) - 60) * SECOND)
        for key, times in seen.items()
    }
    return {claim for claim in claims if claim[1] <= claim[2]}


@settings(max_examples=50)
@given(st.lists(row, max_size=12), st.integers(100, 2000))
def test_claims_follow_the_rule_whatever_the_blocks(rows, block_bytes):
    content = log(*rows)
    _, heartbeats = read(content)
    assert read(content, block_bytes=block_bytes)[1] == heartbeats
    assert {((h["address"], h["workload"], h.get("service")), h["start"], h["end"]) for h in heartbeats} == claims_of(
        rows
    )
