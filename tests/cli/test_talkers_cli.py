"""`attribution talkers`: formats."""

import json

from verbs import csv_rows, ok


def test_talkers(lake):
    text = ok("talkers", lake, "--by", "edge", "--order", "flows", "--limit", 2)
    assert text.splitlines()[2].split()[:4] == ["web", "→", "api", "3"]
    assert text.splitlines()[-1] == "and 6 more: --limit 0 shows all"
    rows = csv_rows(ok("talkers", lake, "--by", "port", "--format", "csv"))
    assert {row["port"] for row in rows} == {"8080", "5432", "443", "9000", "53"}
    assert "unattributed" not in rows[0]
    assert json.loads(ok("talkers", lake, "--format", "json"))[0]["service"] == "web"
