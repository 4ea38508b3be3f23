"""Mapping files: what a table or JSON that nobody foresaw says, by what a person says of its columns."""

import io
import json
import re
import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_input import rows_of
from mutation import with_odd_bits
from verbs import run

from attribution.errors import ConfigError, SourceError
from attribution.sources import read, registry
from attribution.sources.formats.vpc.text import VpcText
from attribution.sources.input.opening import OpenInput
from attribution.sources.inputs import Inputs
from attribution.sources.mapping.file import mapping_of
from attribution.sources.mapping.format import MappedFormat
from attribution.sources.records.model import Ledger

SECOND = 1_000_000
AT = 1772445600
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "mapping.md"
FLOW = """
kind = "flow"
[fields]
start = {{ column = "first", unit = "{unit}" }}
end = {{ column = "last", unit = "{unit}" }}
local_address = "mine"
remote_address = "theirs"
"""


def format_of(text):
    return MappedFormat(mapping_of("m.toml", tomllib.loads(text)))


def table(first, last, mine="10.0.0.1", theirs="10.0.0.2"):
    return {"first": [first], "last": [last], "mine": [mine], "theirs": [theirs]}


def csv_of(columns, delimiter=","):
    rows = [columns.keys(), *zip(*columns.values(), strict=True)]
    return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)


def json_of(columns):
    return "".join(
        json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in zip(*columns.values(), strict=True)
    )


def parquet_of(columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def times_of(text, content):
    rows, ledger = rows_of(format_of(text), content)
    assert ledger.rejected == {}
    return [(row["start"], row["end"]) for row in rows["flow"]]


WRITERS = {"csv": csv_of, "json": json_of, "parquet": parquet_of}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("unit", "first", "last"),
    [
        ("s", AT, AT + 1),
        ("s", float(AT), AT + 0.5),
        ("ms", AT * 10**3, AT * 10**3 + 1),
        ("us", AT * 10**6, AT * 10**6 + 1),
        ("ns", AT * 10**9, AT * 10**9 + 1000),
        ("iso", "2026-03-02T11:00:00+01:00", "2026-03-02 10:00:01"),
        ("%d/%b/%Y:%H:%M:%S %z", "02/Mar/2026:11:00:00 +0100", "02/Mar/2026:11:00:01 +0100"),
    ],
)
def test_times_are_what_the_mapping_says(writer, unit, first, last):
    ((start, end),) = times_of(FLOW.format(unit=unit), WRITERS[writer](table(first, last)))
    assert start == AT * SECOND
    assert start < end < start + 2 * SECOND


def test_a_pattern_without_a_zone_takes_the_zone_that_is_said():
    text = FLOW.format(unit="%Y%m%d %H:%M:%S").replace(':%S"', ':%S", zone = "+01:00"')
    assert times_of(text, csv_of(table("20260302 11:00:00", "20260302 11:00:00"))) == [
        (AT * SECOND, (AT + 1) * SECOND - 1)
    ]


def test_timestamps_of_parquet_are_themselves():
    moment = datetime(2026, 3, 2, 10, tzinfo=UTC)
    content = parquet_of(table(moment, moment))
    assert times_of(FLOW.format(unit="iso"), content) == [(AT * SECOND, (AT + 1) * SECOND - 1)]


@pytest.mark.parametrize(("unit", "lasts"), [("s", 2), ("ms", 2000), ("us", 2_000_000)])
def test_an_end_may_be_the_start_and_a_duration(unit, lasts):
    text = FLOW.format(unit="ms").replace('last", unit = "ms"', f'last", unit = "{unit}", after = "start"')
    assert times_of(text, csv_of(table(AT * 1000, lasts))) == [
        (AT * SECOND, (AT + 2) * SECOND + (999_999 if unit == "s" else 0))
    ]


@pytest.mark.parametrize(
    ("unit", "odd"),
    [
        ("s", ["x", "", "2026-03-02T10:00:00Z", "1e999", "99999999999999999999", "-1", AT * 1000, "nan", "true"]),
        ("ms", [AT, "9223372036854775807"]),
        ("iso", ["2026-03-02", AT, AT * SECOND, "20260302", "noon"]),
        ("%Y-%m-%d %H:%M:%S %z", ["2026-03-02 10:00:00", "2026-03-02 10:00:00 CET", "9999-99-99 10:00:00 Z"]),
    ],
)
def test_what_is_no_time_of_the_unit_is_rejected_by_its_line(unit, odd):
    content = csv_of({"first": odd, "last": odd, "mine": ["10.0.0.1"] * len(odd), "theirs": ["10.0.0.2"] * len(odd)})
    rows, ledger = rows_of(format_of(FLOW.format(unit=unit)), content)
    assert not rows.get("flow")
    assert sorted(reject.line for reject in ledger.rejects) == list(range(2, len(odd) + 2))


@pytest.mark.parametrize(("unit", "last", "more"), [("s", AT, 999_999), ("s", AT + 0.5, 0), ("ms", AT * 1000, 0)])
def test_an_end_in_whole_seconds_is_any_moment_of_its_second(unit, last, more):
    first = AT * (1000 if unit == "ms" else 1)
    ((start, end),) = times_of(FLOW.format(unit=unit), csv_of(table(first, last)))
    assert (start, end) == (AT * SECOND, last * (1000 if unit == "ms" else SECOND) + more)
    # Evidence must not be longer than what was seen.
    ((_, end),) = times_of("flow_heartbeats = 'interval'\n" + FLOW.format(unit=unit), csv_of(table(first, last)))
    assert end == last * (1000 if unit == "ms" else SECOND)


@pytest.mark.parametrize(("last", "start"), [(AT + 60, AT * SECOND + 999_999), (AT, AT * SECOND)])
def test_what_was_seen_from_a_whole_second_on_counts_from_the_end_of_that_second(last, start):
    text = FLOW.format(unit="s").replace('"flow"', '"heartbeat"').replace("local_address", "address")
    text = text.replace("remote_address", "workload")
    rows, _ = rows_of(format_of(text), csv_of(table(AT, last, theirs="w-1")))
    assert [(row["start"], row["end"]) for row in rows["heartbeat"]] == [(start, last * SECOND)]
    rows, _ = rows_of(
        format_of(text.replace('"first",', '"first", add = "1us",')), csv_of(table(AT, last + 1, theirs="w"))
    )
    assert rows["heartbeat"][0]["start"] == AT * SECOND + 1


# Which side is local

SIDED = """
kind = "flow"
[fields]
start = { column = "t", unit = "s" }
end = { column = "t", unit = "s" }
source_address = "src"
source_port = "sport"
destination_address = "dst"
bytes = "bytes"
direction = { column = "dir", values = { I = "ingress", O = "egress" } }
"""


@pytest.mark.parametrize("writer", WRITERS)
def test_the_direction_says_which_side_is_local(writer):
    words = ["O", "I", "Egress", "both", ""]
    columns = {
        "t": [AT] * 5,
        "src": [f"10.0.0.{n}" for n in range(5)],
        "sport": [1, 2, 3, 4, 5],
        "dst": ["10.9.0.1"] * 5,
        "bytes": [7] * 5,
        "dir": words,
    }
    rows, ledger = rows_of(format_of(SIDED), WRITERS[writer](columns))
    out, into, also_out = sorted(rows["flow"], key=lambda row: row["line"])
    assert (out["local_address"], out["local_port"], out["remote_address"]) == ("10.0.0.0", 1, "10.9.0.1")
    assert (into["local_address"], into["remote_port"], into["remote_address"]) == ("10.9.0.1", 2, "10.0.0.1")
    assert (out["bytes_sent"], into["bytes_received"], also_out["bytes_sent"]) == (7, 7, 7)
    assert "bytes_received" not in out
    assert "bytes_sent" not in into
    assert sorted(reject.reason for reject in ledger.rejects) == ["missing_field", "unknown_value"]


VPC = """
kind = "flow"
[table]
delimiter = " "
[fields]
start = { column = "start", unit = "s", add = "-60s" }
end = { column = "end", unit = "s" }
source_address = "srcaddr"
source_port = "srcport"
destination_address = "dstaddr"
destination_port = "dstport"
protocol = "protocol"
bytes = "bytes"
packets = "packets"
direction = "flow-direction"
observer = "interface-id"
basis = { constant = "window" }
"""


def test_a_flow_log_of_aws_and_a_mapping_that_says_the_same_give_equal_flows():
    header = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end flow-direction"
    lines = [
        f"eni-0{n % 3} 10.0.0.{n} 10.1.0.{n} {4000 + n} 443 6 {n} {n * 100} {AT + n} {AT + 2 * n} {way}"
        for n, way in enumerate(["ingress", "egress"] * 20)
    ]
    content = "\n".join([header, *lines]) + "\n"
    own, _ = rows_of(VpcText(), content)
    mapped, ledger = rows_of(format_of(VPC), content)
    assert ledger.rejected == {}
    assert mapped == own


# Other kinds, other layouts


def test_nested_json_in_a_wrapping_is_read_by_its_paths():
    text = """
    kind = "heartbeat"
    [fields]
    address = "host.ip"
    workload = "host.name"
    service = { constant = "billing" }
    start = { column = "seen", unit = "iso" }
    port = { column = "host.port", optional = true }
    """
    row = {"seen": "2026-03-02T10:00:00Z", "host": {"ip": "10.0.0.1", "name": "pod-1"}}
    expected = {"address": "10.0.0.1", "workload": "pod-1", "service": "billing"}
    inside = json.dumps(row)
    for content in (inside + "\n", json.dumps([row, row], indent=1), json.dumps({"log": inside}) + "\n"):
        rows, ledger = rows_of(format_of(text), content)
        assert ledger.rejected == {}
        for found in rows["heartbeat"]:
            assert expected.items() <= found.items()


def test_a_table_without_a_header_has_the_columns_that_are_said():
    text = """
    kind = "label"
    [table]
    delimiter = "|"
    columns = ["net", "who"]
    nulls = ["n/a"]
    [fields]
    prefix = "net"
    service = "who"
    """
    rows, ledger = rows_of(format_of(text), "10.0.0.0/8|a\n10.1.0.0/16|n/a\n")
    assert [(row["prefix"], row["service"], row["line"]) for row in rows["label"]] == [("10.0.0.0/8", "a", 1)]
    assert [(reject.line, reject.reason) for reject in ledger.rejects] == [(2, "missing_field")]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
        pa.array([b"\xff\xfe", b""]),
        pa.array([2**64 - 1, 0], pa.uint64()),
        pa.array([float("inf"), float("nan")]),
        pa.array([True, None]),
        pa.array([None, None], pa.null()),
        pa.array(["x" * 10_000, "\x00"]),
        pa.array(["a", "a"]).dictionary_encode(),
        pa.array([-(2**62), 2**62]).cast(pa.timestamp("us")),
        pa.array([1, 2]).cast(pa.duration("s")),
        pa.array([1, 2], pa.int32()).cast(pa.time32("s")),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("field", ["first", "last", "mine", "theirs", "dir"])
@pytest.mark.parametrize("unit", ["s", "iso"])
def test_hostile_values_are_rejected_and_nothing_is_raised(column, field, unit):
    text = SIDED.replace('"t", unit = "s"', f'"first", unit = "{unit}"', 1).replace(
        '"t", unit = "s"', '"last", unit = "s"'
    )
    text = text.replace('"src"', '"mine"').replace('"dst"', '"theirs"').replace('source_port = "sport"', "")
    text = text.replace('bytes = "bytes"', "")
    start = AT if unit == "s" else "2026-03-02T10:00:00Z"
    columns = {
        "first": [start] * 2,
        "last": [AT] * 2,
        "mine": ["10.0.0.1"] * 2,
        "theirs": ["::1"] * 2,
        "dir": ["I", "O"],
    }
    rows, ledger = rows_of(format_of(text), parquet_of(columns | {field: column}))
    assert not rows.get("flow")
    assert sum(ledger.rejected.values()) == 2


@pytest.mark.parametrize("value", [[1], {"a": [1]}, 2**70, -1, True, "\ud800", "x", 1e300, None])
@pytest.mark.parametrize("field", ["first", "last", "mine", "theirs"])
def test_hostile_json_is_rejected_and_the_rest_is_kept(field, value):
    good = {"first": AT, "last": AT, "mine": "10.0.0.1", "theirs": "10.0.0.2"}
    content = "".join(json.dumps(row) + "\n" for row in (good, good | {field: value}, good))
    rows, ledger = rows_of(format_of(FLOW.format(unit="s")), content)
    assert sorted(row["line"] for row in rows["flow"]) == [1, 3]
    assert [reject.line for reject in ledger.rejects] == [2]


# What a mapping file must say


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind", "kinds"), "unknown key 'kinds'.*did you mean kind"),
        (('"flow"', '"flows"'), "kind is 'flows'; write one of flow, heartbeat"),
        (("local_address", "local_adress"), "unknown field 'local_adress'.*did you mean local_address"),
        (('local_address = "mine"', ""), "lacks local_address, which a flow needs"),
        (('local_address = "mine"', 'source_address = "mine"'), "remote_address beside source_address"),
        ((', unit = "s"', ""), "start: say the unit"),
        (('"s"', '"sec"'), "unknown unit 'sec'"),
        (('"s"', '"%Y-%m-%d %z"'), "lacks %H, so it names no moment"),
        (('"s"', '"%Y-%m-%d %H:%M"'), "names no zone; add %z"),
        (('"mine"', '{ column = "mine", unit = "s" }'), "unit is for times"),
        (('"mine"', '{ colum = "mine" }'), "unknown key 'colum'.*did you mean column"),
        (('"mine"', "{ }"), "either a column or a constant"),
        (('"mine"', "3"), "write the name of a column"),
        (('"mine"', "{ constant = 1.5 }"), "a constant is text or a whole number"),
        (('"mine"', '{ column = "mine", optional = 1 }'), "optional is true or false"),
        (('"mine"', '{ column = "mine", values = 1 }'), "values is a table"),
        (("[fields]", "flow_heartbeats = 'yes'\n[fields]"), "flow_heartbeats is one of none, start, interval"),
        (("[fields]", "[table]\ndelimiter = ',,'\n[fields]"), "delimiter is one ASCII character"),
        (("[fields]", "[table]\ncolumns = ['a']\n[fields]"), "say its delimiter"),
        (("[fields]", "[table]\ndelimiter = ','\ncolumns = ['a']\n[fields]"), "unknown column 'first'"),
        (('last", unit = "s"', 'last", unit = "s", after = "finish"'), "after names a time among"),
        (('last", unit = "s"', 'last", unit = "s", add = "soon"'), "cannot read the duration"),
    ],
)
def test_what_is_no_mapping_is_refused_with_what_to_write(change, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        format_of(FLOW.format(unit="s").replace(*change))


def test_sources_and_destinations_need_a_direction():
    with pytest.raises(ConfigError, match="say which side is local"):
        format_of(re.sub("direction = .*", "", SIDED))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_column_that_is_not_there_is_named_with_those_that_are(writer):
    content = WRITERS[writer]({("mines" if name == "mine" else name): v for name, v in table(AT, AT).items()})
    with pytest.raises(SourceError, match="no column mine; it has first, last, mines, theirs; did you mean mines"):
        rows_of(format_of(FLOW.format(unit="s")), content)


# On the way to a run


def test_an_unknown_table_is_said_to_have_its_columns_and_mapping_is_said(tmp_path):
    (tmp_path / "x").write_text(csv_of(table(AT, AT), ";"))
    with (
        OpenInput(tmp_path / "x") as source,
        pytest.raises(SourceError, match=r"columns are first, last, mine, theirs.*--mapping"),
    ):
        registry.detect(source)


def test_flows_of_a_mapping_are_evidence_if_the_mapping_says_so():
    assert format_of(FLOW.format(unit="s")).flow_heartbeats == "none"
    assert format_of("flow_heartbeats = 'interval'\n" + FLOW.format(unit="s")).flow_heartbeats == "interval"


def test_a_flow_with_a_record_id_is_taken_once(tmp_path):
    (tmp_path / "m.toml").write_text(FLOW.format(unit="s") + 'record_id = "id"')
    (tmp_path / "a.csv").write_text(
        csv_of({name: value * 3 for name, value in (table(AT, AT) | {"id": ["x"]}).items()})
    )
    ledger = Ledger()
    mapping = Inputs(flows=[tmp_path / "a.csv"], mappings=[f"flows={tmp_path}/m.toml"]).mapping_of("flow")
    assert sum(found.batch.num_rows for found in read([tmp_path / "a.csv"], ledger=ledger, mapping=mapping)) == 1
    assert ledger.skipped == {("mapping", "repeated"): 2}


def test_a_mapping_is_given_to_a_path(tmp_path):
    (tmp_path / "m.toml").write_text(FLOW.format(unit="s"))
    (tmp_path / "a.csv").write_text(csv_of(table(AT, AT)))
    (tmp_path / "b.csv").write_text(csv_of(table(AT, AT)))
    inputs = Inputs(flows=[tmp_path], mappings=[f"{tmp_path}/a.csv={tmp_path}/m.toml"])
    found = inputs.mapping_of("flow")
    assert found(f"{tmp_path}/a.csv") is not None
    assert found(f"{tmp_path}/b.csv") is None
    with pytest.raises(ConfigError, match="cannot read the mapping"):
        Inputs(flows=[tmp_path], mappings=["nowhere.toml"]).mapping_of("flow")


def test_one_content_that_two_mappings_describe_is_read_as_both_say(tmp_path):
    (tmp_path / "one.toml").write_text(FLOW.format(unit="s"))
    turned = FLOW.replace("mine", "x").replace("theirs", "mine").replace('"x"', '"theirs"')
    (tmp_path / "other.toml").write_text(turned.format(unit="s"))
    for name in ("one", "other", "again"):
        (tmp_path / f"{name}.csv").write_text(csv_of(table(AT, AT)))
    described = {"one": "one", "other": "other", "again": "one"}
    given = [f"{tmp_path}/{name}.csv={tmp_path}/{of}.toml" for name, of in described.items()]
    paths, ledger = sorted(tmp_path.glob("*.csv")), Ledger()
    mapping = Inputs(flows=paths, mappings=given).mapping_of("flow")
    batches = [one.batch for one in read(paths, ledger=ledger, mapping=mapping)]
    found = [row["local_address"] for batch in batches for row in batch.to_pylist()]
    assert sorted(found) == ["10.0.0.1", "10.0.0.2"]
    assert ledger.skipped == {("mapping", "same_file"): 1}


def test_the_example_of_the_page_is_read():
    example, content = re.findall(r"```(?:toml|text)\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]
    rows, ledger = rows_of(format_of(example), content)
    assert ledger.rejected == {}
    out, into = rows["flow"]
    assert (out["local_address"], out["remote_port"], out["bytes_sent"]) == ("10.0.1.4", 443, 900)
    assert (into["local_address"], into["remote_address"]) == ("10.0.1.4", "198.51.100.7")
    assert out["end"] - out["start"] == 2_500_000


def test_structs_of_parquet_are_read_by_their_paths():
    text = FLOW.format(unit="s").replace('"mine"', '"ends.mine"').replace('"theirs"', '"ends.theirs.ip"')
    ends = [{"mine": "10.0.0.1", "theirs": {"ip": "10.0.0.2"}}, {"mine": "10.0.0.3", "theirs": None}, None]
    rows, ledger = rows_of(format_of(text), parquet_of({"first": [AT] * 3, "last": [AT] * 3, "ends": ends}))
    assert [(row["local_address"], row["remote_address"]) for row in rows["flow"]] == [("10.0.0.1", "10.0.0.2")]
    assert [(reject.line, reject.reason) for reject in ledger.rejects] == [(2, "missing_field"), (3, "missing_field")]


@pytest.mark.parametrize("writer", ["csv", "json"])
@pytest.mark.parametrize("unit", ["s", "iso"])
def test_mutated_tables_are_read_rejected_or_refused(writer, unit):
    at = AT if unit == "s" else "2026-03-02T10:00:00Z"
    whole = WRITERS[writer]({name: values * 20 for name, values in table(at, at).items()}).encode()
    for seed in range(60):
        content = with_odd_bits(whole, seed, b"]", b"null")
        with suppress(SourceError):
            rows, _ = rows_of(format_of(FLOW.format(unit=unit)), content)
            for row in rows.get("flow", ()):
                assert row["start"] <= row["end"]


@pytest.mark.parametrize("verb", ["replay", "inspect"])
def test_verbs_take_a_mapping(tmp_path, verb):
    (tmp_path / "m.toml").write_text(FLOW.format(unit="s"))
    (tmp_path / "a.csv").write_text(csv_of(table(AT, AT)))
    log = tmp_path / "a.csv"
    words = ["--flows", log, "--out", tmp_path / "lake"] if verb == "replay" else [log]
    done = run(verb, *words, "--mapping", tmp_path / "m.toml")
    assert (done.exit_code, "mapping" in done.output) == (0, True)
    refused = run(verb, *words, "--mapping", f"b.csv={tmp_path}/m.toml")
    assert (refused.exit_code, isinstance(refused.exception, ConfigError)) == (1, True)
