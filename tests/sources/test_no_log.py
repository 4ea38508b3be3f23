"""What stands beside logs: told by its content, left out where a folder has it, and never taken for a log or back."""

import json

import pytest
from verbs import ok, run

from attribution.errors import SourceError
from attribution.sources import Ledger, read
from attribution.sources.no_log import no_log

README = """# Flow logs of the shop

These are the flow logs of VPC `vpc-0a1b` and its subnets, copied from S3 on 2026-01-05.
Ask the network team before you delete them; 10.0.0.1 is the gateway.

```
2026-01-05T00:00:00Z 10.0.0.1 10.0.0.2 443 ACCEPT
2026-01-05T00:00:01Z 10.0.0.1 10.0.0.2 443 ACCEPT
2026-01-05T00:00:02Z 10.0.0.1 10.0.0.2 443 ACCEPT
2026-01-05T00:00:03Z 10.0.0.1 10.0.0.2 443 ACCEPT
```

- The files are by the hour.
- Times are in UTC.

See [the runbook](https://wiki.example/runbook) for more.
"""
LICENCE = """MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software.
"""
MAKEFILE = """# Copies the logs.
BUCKET := logs
.PHONY: all
all: copy check
copy:
\taws s3 sync s3://$(BUCKET) .
check: copy
\tsha256sum -c SHA256SUMS
"""
SUMS = "".join(f"{n:064x}  flows-{n}.log.gz\n" for n in range(9))
NO_LOGS = {
    "README.md": README,
    "README": "Flow logs of March.\nAsk the network team before you delete them.\n",
    "one line.txt": "Do not delete!\n",
    "LIESMICH": "Die Logs sind vom März.\r\nBitte nicht löschen, frag erst die Netzgruppe.\r\n",
    "LICENSE": LICENCE,
    "Makefile": MAKEFILE,
    "SHA256SUMS": SUMS,
    "bsd.sums": "MD5 (a.log) = " + 32 * "0" + "\n",
    "index.html": "<!DOCTYPE html>\n<html><body>10.0.0.1</body></html>\n",
    "picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "guide.pdf": b"%PDF-1.7\n%\xe2\xe3",
    "map.png": b"\x89PNG\r\n\x1a\n\0\0",
    "photo.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "DS_Store": b"\0\0\0\1Bud1\0\0",
    "flows.sig": "-----BEGIN PGP SIGNATURE-----\n\nabc=\n",
    "rejects.jsonl": json.dumps({"source": "a", "line": 1, "reason": "malformed", "found": "{", "kind": "row"}) + "\n",
    "lake.json": json.dumps({"format": 2, "written_by": "0.2.0", "settings": {}, "summary": {}}, indent=2) + "\n",
}
#: Of no known format, and yet perhaps logs: nobody may lose them unseen.
MAYBE_LOGS = {
    "prose of connections": "".join(
        f"Jan  5 10:{n:02}:00 gw kernel: the host 10.0.0.{n} spoke to the server at last.\n" for n in range(20)
    ),
    "prose without a clock": "".join(f"The host 10.0.0.{n} has spoken to the server.\n" for n in range(3)),
    "prose of one form": "".join(f"Client {n} has asked the server for a page.\n" for n in range(20)),
    "prose below a time": "2026-01-05T10:00:00Z the gateway said this:\nThe link is down.\nThe link is up again.\n",
    "JSON lines": '{"colour": "red", "said": "A sentence with words."}\n' * 3,
    "JSON": '{\n  "note": "A sentence with words."\n}\n',
    "CSV": "name,city,country\nAnna,Bern,Switzerland\nJo,Oslo,Norway\n",
    "CSV of words": "who,said\nAnna,Good morning to all.\nJo,Good night.\n",
    "TSV": "name\tcity\nAnna\tBern\nJo\tOslo\n",
    "columns": "name city country\nAnna Bern Switzerland\nJo Oslo Norway\n",
    "a header": "timestamp source destination bytes\n",
    "a header that is a comment": "# timestamp source destination bytes\n",
    "YAML of pods": "apiVersion: v1\nitems:\n- metadata:\n    name: web\n  status:\n    podIP: 10.0.0.1\n",
    "settings": "[attribution]\nmax_gap = '3m'\n",
    "key=value": "src=a dst=b action=allow\nsrc=c dst=d action=deny\n",
    "addresses": "10.0.0.1\n10.0.0.2\n10.0.0.3\n",
    "IPv6": "fd00:0:0:1:0:0:0:7 is there.\nfd00:0:0:1:0:0:0:8 is there.\n",
    "epochs": "1767225600 web up.\n1767225660 web down.\n",
    "zip": b"PK\x03\x04more",
    "xz": b"\xfd7zXZ\0\0",
    "capture": b"\xd4\xc3\xb2\xa1\x02\0",
    "bytes": bytes(range(256)),
    "a stack trace": "web:\n\tat com.example.Shop.sell(Shop.java:17)\nCaused by 10:00:01\n",
    "rejects of others": json.dumps({"source": "a", "line": 1, "reason": "blocked"}) + "\n",
}
FLOW = {"start": "2026-01-05T10:00:00Z", "end": "2026-01-05T10:00:05Z"}
FLOW |= {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"}


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture
def logs(tmp_path):
    lines = "".join(json.dumps(FLOW | {"local_port": n}) + "\n" for n in range(100))
    return write(tmp_path / "logs", {"flows.jsonl": lines})


def reading(*paths):
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1)
    rows = sum(found.batch.num_rows for found in read(paths, ledger=ledger))
    return rows, rejects, ledger


@pytest.mark.parametrize("name", NO_LOGS)
def test_what_is_no_log_is_left_out_of_a_folder_and_named(name, logs):
    write(logs, {"a": NO_LOGS[name]})
    rows, rejects, ledger = reading(logs)
    assert (rows, rejects) == (100, [])
    assert ledger.skipped == {("unknown", "no_log"): 1}
    assert [file for file, _ in ledger.no_logs] == [str(logs / "a")]


@pytest.mark.parametrize("name", MAYBE_LOGS)
def test_what_may_be_a_log_of_an_unknown_format_is_rejected(name, logs):
    write(logs, {"a": MAYBE_LOGS[name]})
    rows, rejects, ledger = reading(logs)
    assert (rows, [reject.reason for reject in rejects]) == (100, ["unknown_format"])
    assert ledger.no_logs == []


@pytest.mark.parametrize("name", NO_LOGS)
def test_a_file_that_is_named_is_taken_at_its_word(name, logs):
    write(logs, {"a": NO_LOGS[name]})
    assert [reject.reason for reject in reading(logs / "a", logs)[1]] == ["unknown_format"]
    with pytest.raises(SourceError, match="cannot tell the format"):
        reading(logs / "a")


def test_a_beginning_that_ends_inside_of_a_character_is_text():
    text = ("Größe ist nicht alles, sagen die Leute. " * 9 + "\nÄ").encode()
    assert no_log(text[:-1]) == "text for people"


def test_a_folder_without_a_log_is_an_error_that_names_what_is_there(tmp_path):
    folder = write(tmp_path / "logs", {"README": NO_LOGS["README"], "run": "#!/bin/sh\n", "guide": b"%PDF-1.7"})
    with pytest.raises(SourceError, match=r"no file there is a log(.*)guide is a PDF") as raised:
        reading(folder)
    assert "--input-format" in str(raised.value)
    write(folder, {"empty.log": ""})
    assert reading(folder)[0] == 0


def test_the_summary_names_what_was_no_log(logs, tmp_path):
    write(logs, {"README.md": README})
    told = " ".join(ok("replay", "--flows", logs, "--out", tmp_path / "lake").split())
    assert "skipped 1 no_log (unknown)" in told
    assert f"{logs}/README.md is no log, but text for people." in told
    found = json.loads(ok("replay", "--flows", logs, "--out", tmp_path / "lake", "--format", "json"))
    assert found["no_logs"] == [{"file": f"{logs}/README.md", "is": "text for people"}]
    assert ok("inspect", logs)


def test_a_readme_beside_parquet_flows_and_a_broken_file_beside_them_do_not_stop_a_run(logs, tmp_path):
    ok("replay", "--flows", logs, "--out", tmp_path / "lake")
    write(tmp_path / "lake", {"README.md": README})
    ok("replay", "--flows", tmp_path / "lake", "--out", tmp_path / "second")
    write(tmp_path / "lake", {"x.log": "{broken\n"})
    assert run("replay", "--flows", tmp_path / "lake", "--out", tmp_path / "second").exit_code == 3


def test_a_lake_is_read_as_flows_though_it_keeps_more(logs, tmp_path):
    write(logs, {"more.jsonl": json.dumps(FLOW) + "\n{broken\n"})
    assert run("replay", "--flows", logs, "--out", tmp_path / "lake").exit_code == 3
    found = json.loads(ok("replay", "--flows", tmp_path / "lake", "--out", tmp_path / "again", "--format", "json"))
    assert (found["flows"], found["rejected"]) == (101, [])
    assert {one["file"].rpartition("/")[2] for one in found["no_logs"]} == {"lake.json", "rejects.jsonl"}
