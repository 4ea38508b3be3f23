"""`attribution graph`, `talkers`, `whois` and `explain`: formats, files, messages, exit statuses."""

import csv
import importlib
import io
import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from tiny_lake import flow, traffic, write_lake, write_tiny_lake

from attribution.cli.render.output import Column, Output, OutputError, Section
from attribution.cli.render.tables import lay_out
from attribution.errors import LakeError, QueryError

VERBS = ("graph", "talkers", "whois", "explain")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_tiny_lake(tmp_path_factory.mktemp("lakes") / "tiny")


def run(verb, *arguments):
    command = importlib.import_module(f"attribution.cli.{verb}").command
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def ok(verb, *arguments):
    result = run(verb, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(verb):
    text = ok(verb, "--help")
    assert "Examples:" in text
    assert f"  attribution {verb} lake" in text


def test_graph_table_says_totals_nodes_and_edges(lake):
    lines = ok("graph", lake).splitlines()
    assert lines[1:4] == [
        "2026-01-05 12:00:10 to 2026-01-05 14:00:01 UTC",
        "15 flow records: traffic that both ends log is counted once",
        "with an unattributed end: 18.2% of flows, 0.1% of bytes (gap 9.1%, unknown 9.1%)",
    ]
    assert lines[0] == "7 nodes, 8 edges, 11 flows, 14 kB"
    web = next(line for line in lines if line.startswith("web "))
    assert web.split()[:8] == ["web", "service", "5", "7", "5.2", "kB", "8.4", "kB"]
    edge = next(line for line in lines if line.startswith("web") and "api" in line)
    assert edge.split()[:5] == ["web", "→", "api", "8080/tcp", "3"]
    assert any(line.startswith("db         -   web") for line in lines)


def test_graph_json_is_the_graph(lake):
    found = json.loads(ok("graph", lake, "--format", "json", "--window", "2026-01-05T12:00..2026-01-05T12:10"))
    assert found["window"] == {"from": "2026-01-05T12:00:00Z", "to": "2026-01-05T12:10:00Z"}
    assert found["totals"]["flows"] == 2
    (edge,) = found["edges"]
    assert (edge["source"], edge["target"], edge["flows"], edge["first_seen"]) == (
        "web",
        "api",
        2,
        "2026-01-05T12:00:10Z",
    )
    assert edge["ports"] == [{"port": 8080, "protocol": "tcp", "flows": 2}]
    assert {node["node"] for node in found["nodes"]} == {"web", "api"}


def test_graph_csv_has_plain_cells(lake):
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--limit", 1))
    assert len(rows) == 1
    assert (rows[0]["source"], rows[0]["target"], rows[0]["directed"], rows[0]["ports"]) == (
        "web",
        "api",
        "true",
        "8080/tcp=3",
    )
    assert rows[0]["methods"] == "capture>heartbeat=3;heartbeat>capture=1"
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--nodes"))
    assert rows[0]["node"] == "web"
    assert len(rows) == 7


def test_a_limited_table_says_what_it_leaves_out(lake):
    text = ok("graph", lake, "--limit", 2)
    assert "and 5 more nodes: --limit 0 shows all" in text
    assert "and 6 more edges: --limit 0 shows all" in text
    assert "more" not in ok("graph", lake, "--limit", 0)


def test_graph_pictures(lake):
    assert '[label="web",' in ok("graph", lake, "--format", "dot")
    assert ok("graph", lake, "--format", "mermaid").startswith("flowchart LR\n")
    assert len(ET.fromstring(ok("graph", lake, "--format", "graphml")).findall(".//{*}edge")) == 8  # noqa: S314 - our own


def test_graph_filters_are_all_passed_on(lake):
    flags = [
        "--service",
        "we*",
        "--port",
        8080,
        "--protocol",
        "tcp",
        "--region",
        "eu-?",
        "--method",
        "none",
        "--reason",
        "gap",
    ]
    rows = csv_rows(ok("graph", lake, "--format", "csv", *flags))
    assert [(row["source"], row["target"]) for row in rows] == [("web", "(unattributed: gap)")]
    assert csv_rows(ok("graph", lake, "--format", "csv", "--attributed-only", *flags)) == []
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--hostnames", "--protocol", "udp"))
    assert [row["target"] for row in rows] == ["dns.example"]
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--clients-by-port", "--port", 5432, "--service", "web"))
    assert [(row["source"], row["directed"]) for row in rows] == [("web", "true")]


def test_mermaid_warns_of_more_edges_than_it_draws(lake, monkeypatch):
    monkeypatch.setattr("attribution.cli.graph.MERMAID_MAX_EDGES", 3)
    result = run("graph", lake, "--format", "mermaid")
    assert "8 edges, and Mermaid draws at most 3" in result.stderr
    assert "Mermaid" not in result.stdout


def test_diff_as_table_json_and_csv(lake):
    windows = ["--window", "2026-01-05T13:00..2026-01-05T14:00", "--diff", "2026-01-05T12:00..2026-01-05T13:00"]
    text = ok("graph", lake, *windows)
    assert "edges: 3 new, 4 gone, 1 changed by 2.0x or more per second, 0 not" in text
    changed = next(line for line in text.splitlines() if line.startswith("changed"))
    assert changed.split() == [
        "changed",
        "web",
        "→",
        "api",
        "8080/tcp",
        "2",
        "1",
        "1/2.0",
        "1.6",
        "kB",
        "11",
        "kB",
        "6.7x",
    ]
    found = json.loads(ok("graph", lake, "--format", "json", *windows))
    assert (found["unchanged"], len(found["changes"])) == (0, 8)
    rows = csv_rows(ok("graph", lake, "--format", "csv", *windows))
    assert [row["change"] for row in rows].count("new") == 3


@pytest.mark.parametrize("arguments", [("--nodes",), ("--limit", "3"), ("--format", "dot")])
def test_diff_refuses_what_it_would_ignore(lake, arguments):
    result = run("graph", lake, "--diff", "-2h..-1h", *arguments)
    assert result.exit_code == 2
    assert "--diff lists edges" in result.output


def test_talkers(lake):
    text = ok("talkers", lake, "--by", "edge", "--order", "flows", "--limit", 2)
    assert text.splitlines()[2].split()[:4] == ["web", "→", "api", "3"]
    assert text.splitlines()[-1] == "and 6 more: --limit 0 shows all"
    rows = csv_rows(ok("talkers", lake, "--by", "port", "--format", "csv"))
    assert {row["port"] for row in rows} == {"8080", "5432", "443", "9000", "53"}
    assert "unattributed" not in rows[0]
    assert json.loads(ok("talkers", lake, "--format", "json"))[0]["service"] == "web"


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
    assert [row["flows"] for row in rows] == ["2", "1", "1"]


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


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("graph", "no/such/lake"), LakeError),
        (("talkers", "no/such/lake"), LakeError),
        (("whois", "no/such/lake", "10.0.0.1"), LakeError),
        (("explain", "no/such/lake", "--local", "10.0.0.1"), LakeError),
    ],
)
def test_errors_of_the_package_reach_the_main_command(arguments, error):
    assert isinstance(run(*arguments).exception, error)
    assert isinstance(run("graph", "no/such/lake", "--port", "70000").exception, QueryError)


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_lake_is_no_error(tmp_path, verb):
    empty = write_lake(tmp_path / "empty")
    more = {"whois": ["10.0.0.1"], "explain": ["--local", "10.0.0.1"]}.get(verb, [])
    result = run(verb, empty, *more)
    if verb == "explain":
        assert isinstance(result.exception, QueryError)
        return
    assert result.exit_code == 0
    assert "o flows" in result.output or "nothing is known" in result.output
    for format_ in ("json", "csv"):
        assert run(verb, empty, *more, "--format", format_).exit_code == 0


def test_output_goes_to_a_file_that_appears_whole(lake, tmp_path):
    target = tmp_path / "graph.dot"
    assert ok("graph", lake, "--format", "dot", "-o", target) == ""
    assert target.read_text() == ok("graph", lake, "--format", "dot")
    assert ok("graph", lake, "-o", tmp_path / "table.txt") == ""
    assert (tmp_path / "table.txt").read_text() == ok("graph", lake)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.dot", "table.txt"]


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(lake, tmp_path):
    (tmp_path / "target").mkdir()
    result = run("graph", lake, "-o", tmp_path / "no" / "such" / "folder.txt")
    assert isinstance(result.exception, OutputError)
    assert "choose another file with --output" in str(result.exception)
    with pytest.raises(OutputError):
        Output(format="json", path=tmp_path / "target").json([])
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_names_from_logs_cannot_steer_the_terminal_or_break_the_formats(tmp_path):
    name = 'x\x1b[31m"q",[bold]\n=1+1'
    fields = {"remote_service": name, "remote_workload": "w", "remote_method": "heartbeat", "remote_reason": "covered"}
    lake = write_lake(
        tmp_path / "lake", flows=[flow("12:00:00", "10.0.0.1:40000", "10.7.0.1:80", **fields, **traffic(1, 1))]
    )
    text = ok("graph", lake)
    assert "\x1b" not in text
    assert 'x\\x1b[31m"q",[bold]\\n=1+1' in text
    assert csv_rows(ok("graph", lake, "--format", "csv"))[0]["target"] == name
    assert json.loads(ok("graph", lake, "--format", "json"))["edges"][0]["target"] == name


WIDE = [Column(name="name"), Column(name="more", rank=1), Column(name="most", rank=2)]
ROWS = [{"name": "n" * 30, "more": "m" * 40, "most": "x" * 50}]


def rendered(width):
    lines = [line.text for line in lay_out([Section(columns=WIDE, rows=ROWS)], width)]
    assert all(len(line) <= width for line in lines)
    return "\n".join(lines)


def test_a_narrow_terminal_leaves_out_columns_and_says_which():
    assert "x" * 50 in rendered(140)
    assert "left out" not in rendered(140)
    narrow = rendered(80)
    assert "m" * 40 in narrow
    assert "x" * 50 not in narrow
    assert "column left out at this width: most" in " ".join(narrow.split())


def test_what_must_be_shown_is_wrapped_and_never_cut():
    assert "".join(line for line in rendered(20).splitlines() if "nn" in line) == "n" * 30


def test_wide_characters_take_two_cells():
    rows = [{"name": "監視" * 20, "more": "x"}]
    lines = [
        line.text for line in lay_out([Section(columns=[Column(name="name"), Column(name="more")], rows=rows)], 40)
    ]
    assert all(cell_len(line) <= 40 for line in lines)
    assert "".join(line.split()[0] for line in lines[2:]) == "監視" * 20
    assert lines[2].endswith("   x")


def test_words_are_kept_whole_where_they_can_be():
    rows = [{"name": "a few words that do not fit into one line of it", "more": "x"}]
    lines = [
        line.text for line in lay_out([Section(columns=[Column(name="name"), Column(name="more")], rows=rows)], 30)
    ]
    assert [line[:23].strip() for line in lines[2:]] == ["a few words that do not", "fit into one line of it"]


def test_output_that_is_no_terminal_is_as_wide_as_it_needs_to_be(capsys):
    Output(format="table", path=None).table(WIDE, ROWS)
    text = capsys.readouterr().out
    assert f"{'n' * 30}   {'m' * 40}   {'x' * 50}\n" in text


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 9_999_999, "9,999,999"),
        ("count", 12_345_678, "12.3 M"),
        ("bytes", 999, "999 B"),
        ("bytes", 999_600, "1.0 MB"),
        ("bytes", 12_345, "12 kB"),
        ("share", 0.0, "0.0%"),
        ("share", 0.00001, "<0.1%"),
        ("share", 0.9999999, ">99.9%"),
        ("share", 1.0, "100.0%"),
        ("factor", 0.25, "1/4.0"),
        ("factor", 12.4, "12x"),
        ("span", 0, "0s"),
        ("span", 90_061_000_000, "1d 1h"),
        ("span", 60_000_000, "1m"),
        ("span", 1_500, "1.5ms"),
        ("text", None, "-"),
        ("number", 443, "443"),
    ],
)
def test_numbers_are_written_for_people_in_tables_only(kind, value, text):
    assert Column(name="it", kind=kind).cell(value) == text
