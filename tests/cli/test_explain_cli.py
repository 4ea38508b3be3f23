"""`attribution explain`: formats, messages."""

import json

import pytest
from verbs import csv_rows, ok, run


def test_explain_a_flow(lake):
    text = ok("explain", lake, "--flow", "10.0.0.2:40002,10.0.0.11:8080,2026-01-05T12:05:00Z")
    lines = text.splitlines()
    assert lines[0] == "Flow 10.0.0.2:40002,10.0.0.11:8080,2026-01-05T12:05:00.000000Z"
    assert "connection, tcp, egress, 50 B sent, 500 B received" in lines[1]
    assert "Remote end 10.0.0.11 port 8080/tcp: api (api-1)" in lines
    assert "nearest evidence: 30s from the start of the flow" in lines
    assert any("seen before and after, nobody else between" in line for line in lines)
    found = json.loads(ok("explain", lake, "--local", "10.0.0.2:40002", "--format", "json"))
    assert found["remote"]["reason"] == "bridged"
    rows = csv_rows(ok("explain", lake, "--remote", "10.0.0.99", "--format", "csv"))
    assert [(row["side"], row["role"], row["workload"]) for row in rows] == [
        ("remote", "other", "old-1"),
        ("remote", "other", "new-1"),
    ]


def test_explain_an_edge(lake):
    text = ok("explain", lake, "--edge", "web", "(unattributed: gap)")
    assert text.splitlines()[0] == "web → (unattributed: gap): 1 flow record"
    assert "gap: There is evidence" in text
    assert "10.0.0.1:40006,10.0.0.99:8080,2026-01-05T12:20:00.000000Z" in text
    assert "Nobody else held these addresses" in ok("explain", lake, "--edge", "web", "api")
    found = json.loads(ok("explain", lake, "--edge", "web", "api", "--format", "json", "--examples", 1))
    assert [len(part["examples"]) for part in found["parts"]] == [1, 1, 1]
    rows = csv_rows(ok("explain", lake, "--edge", "web", "api", "--format", "csv"))
    assert [(row["records"], row["flows"]) for row in rows] == [("2", "2"), ("1", "0"), ("1", "1")]
    assert ok("explain", lake, "--edge", "web", "api").startswith("web → api: 4 flow records, of which 3 count: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say one thing to explain"),
        (("--flow", "10.0.0.1,10.0.0.2", "--edge", "a", "b"), "Say one thing to explain"),
        (("--flow", "10.0.0.1,10.0.0.2", "--port", "80"), "use them with --edge"),
    ],
)
def test_explain_wants_one_thing(lake, arguments, message):
    result = run("explain", lake, *arguments)
    assert result.exit_code == 2
    assert message in result.output
