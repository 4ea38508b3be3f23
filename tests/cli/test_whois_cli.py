"""`attribution whois`: formats, and what it says when it knows nothing."""

import json

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
