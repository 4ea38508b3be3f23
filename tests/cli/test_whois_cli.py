"""`attribution whois`: formats, and what it says when it knows nothing."""

import json

from tiny_lake import held, write_lake
from verbs import csv_rows, ok


def test_whois(lake):
    text = ok("whois", lake, "10.0.0.99", "--at", "2026-01-05T12:20:00Z")
    assert text.splitlines()[:3] == [
        "10.0.0.99: 3 workloads, 3 ownership ranges, 1 flow",
        "10.0.0.99 at 2026-01-05 12:20:00 UTC: unattributed",
        "none, gap: There is evidence for the address, but none that covers the time asked about.",
    ]
    assert "last seen 1m 59s before the time asked about" in text
    assert "new (newer-1)" in ok("whois", lake, "10.0.0.99", "--at", "2026-01-05T13:30")
    rows = csv_rows(ok("whois", lake, "10.0.0.99", "--format", "csv"))
    assert [row["workload"] for row in rows] == ["old-1", "new-1", "newer-1"]
    assert json.loads(rows[2]["holes"]) == [{"start": "2026-01-05T12:55:00Z", "end": "2026-01-05T12:56:30Z"}]
    found = json.loads(ok("whois", lake, "10.0.0.99", "--at", "2026-01-05T12:20:00Z", "--format", "json"))
    assert found["answer"]["reason"] == "gap"
    assert [witness["workload"] for witness in found["answer"]["witnesses"]] == ["old-1", "new-1"]
    assert found["ranges"][0]["length"] == 78 * 60 * 1_000_000


def test_whois_knows_when_it_knows_nothing(lake):
    assert ok("whois", lake, "203.0.113.1") == "203.0.113.1: nothing is known of it in this lake.\n"


def test_whois_tells_who_listened_from_opened_connections_and_balanced_ports(tmp_path):
    node = "10.0.9.9"
    opened = [
        held(node, f"web-{n % 3}", "web", f"12:00:{n:02}", f"12:01:{n:02}", port=1024 + n, longest_gap=0)
        | {"claim": "shown"}
        for n in range(30)
    ]
    balanced = held(node, "gate-1", "gate", "12:10:00", "12:10:00", port=443, longest_gap=0) | {"claim": "balanced"}
    listener = held(node, "api-1", "api", "11:00:00", "14:00:00", port=8000)
    lake = write_lake(tmp_path / "lake", ranges=[listener, *opened, balanced])
    text = ok("whois", lake, node)
    titles = ("Ownership ranges", "Connections that were opened from its ports", "Ports with a balancer")
    listening, connections, behind = (text[text.index(title) :].split("\n\n")[0] for title in titles)
    assert "8000/tcp" in listening
    assert "1024/tcp" not in listening
    # The last ones, unless a moment is asked about.
    assert ("1053/tcp" in connections, "1024/tcp" in connections) == (True, False)
    assert "and 10 more" in connections
    assert "443/tcp" in behind
    around = ok("whois", lake, node, "--at", "2026-01-05T12:00:00Z", "--port", "8000")
    assert "1024/tcp" in around
    assert "api (api-1)" in around
    rows = csv_rows(ok("whois", lake, node, "--format", "csv"))
    assert [sum(row["claim"] == claim for row in rows) for claim in ("", "shown", "balanced")] == [1, 30, 1]
