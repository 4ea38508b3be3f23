"""Tables that others made of AWS flow logs: other names, other units, other types, the same flows."""

import io
from contextlib import suppress
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_input import rows_of
from mutation import with_odd_bits

from attribution.errors import SourceError
from attribution.sources.delimited.rows import dialect_of
from attribution.sources.formats.vpc.fields import field_of, is_flow_log
from attribution.sources.formats.vpc.parquet import VpcParquet
from attribution.sources.formats.vpc.text import VpcText

FIELDS = [
    *("interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol"),
    *("packets", "bytes", "start", "end", "action", "log_status"),
]
SIDES = ("10.0.2.9", "40001", "443", "6", "10", "900")
ROWS = [
    ["eni-0a", f"10.0.1.{host}", *SIDES, str(1772445600 + host), str(1772445640 + host), "ACCEPT", "OK"]
    for host in (1, 2, 3)
]
TEXT = ("text", "interface_id", "srcaddr", "dstaddr", "action", "log_status")
ATHENA = {
    "interface_id": "interfaceid",
    "srcaddr": "sourceaddress",
    "dstaddr": "destinationaddress",
    "srcport": "sourceport",
    "dstport": "destinationport",
    "packets": "numpackets",
    "bytes": "numbytes",
    "start": "starttime",
    "end": "endtime",
    "log_status": "logstatus",
}
SPELLINGS = {
    "athena": lambda name: ATHENA.get(name, name),
    "camel": lambda name: "".join(
        part.title() if place else part
        for place, part in enumerate(name.replace("addr", "_addr").replace("port", "_port").split("_"))
    ),
    "kebab": lambda name: name.replace("_", "-"),
    "upper": str.upper,
}


def as_text():
    return "\n".join(" ".join(row) for row in [[name.replace("_", "-") for name in FIELDS], *ROWS]) + "\n"


def columns(spelling=str, **changed):
    found = {}
    for name, values in zip(FIELDS, zip(*ROWS, strict=True), strict=True):
        column = pa.array(values) if name in TEXT else pa.array(list(map(int, values)))
        found[spelling(name)] = changed[name](column) if name in changed else column
    return found


def parquet(found):
    out = io.BytesIO()
    pq.write_table(pa.table(found), out)
    return out.getvalue()


def flows(data, known=None):
    rows, ledger = rows_of(known or VpcParquet(), data)
    assert ledger.rejected == {}
    return [{name: value for name, value in row.items() if name != "line"} for row in rows["flow"]]


def both(change):
    return {"start": change, "end": change}


def at_seconds(column):
    return pa.array([datetime.fromtimestamp(value, UTC) for value in column.to_pylist()])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_names_of_any_spelling_are_the_same_flows(spelling):
    found = columns(SPELLINGS[spelling])
    assert VpcParquet().matches_columns(frozenset(found))
    assert flows(parquet(found)) == flows(as_text(), VpcText())


@pytest.mark.parametrize(
    "change",
    [
        *(
            lambda column, times=times: pa.array([v * times for v in column.to_pylist()])
            for times in (10**3, 10**6, 10**9)
        ),
        lambda column: column.cast(pa.float64()),
        lambda column: column.cast(pa.string()),
        lambda column: at_seconds(column).cast(pa.timestamp("s", "UTC")),
        lambda column: at_seconds(column).cast(pa.timestamp("ms")),
        lambda column: at_seconds(column).cast(pa.timestamp("ns", "Europe/Berlin")),
        lambda column: pa.array([moment.isoformat() for moment in at_seconds(column).to_pylist()]),
    ],
    ids=["ms", "us", "ns", "floats", "text", "timestamp_s", "timestamp_ms", "timestamp_ns", "iso"],
)
def test_times_of_any_unit_and_type_are_the_same_flows(change):
    assert flows(parquet(columns(**both(change)))) == flows(as_text(), VpcText())


def test_floats_that_are_whole_numbers_are_these_numbers():
    doubles = {name: lambda column: column.cast(pa.float64()) for name in ("srcport", "dstport", "protocol", "bytes")}
    assert flows(parquet(columns(**doubles))) == flows(as_text(), VpcText())


def test_rows_of_a_second_unit_are_rejected():
    def mixed(column):
        first, second, third = column.to_pylist()
        return pa.array([first * 1000, second, third * 1000])

    rows, ledger = rows_of(VpcParquet(), parquet(columns(**both(mixed))))
    assert [row["line"] for row in rows["flow"]] == [1, 3]
    assert [reject.line for reject in ledger.rejects] == [2]


def test_a_start_and_an_end_of_two_units_are_no_row():
    rows, ledger = rows_of(
        VpcParquet(), parquet(columns(end=lambda column: pa.array([v * 1000 for v in column.to_pylist()])))
    )
    assert not rows.get("flow")
    assert len(ledger.rejects) == 3


@pytest.mark.parametrize(
    "odd",
    [
        pa.array([1, 2, 3]),
        pa.array([2**63 - 1] * 3),
        pa.array([2**64 - 1] * 3, pa.uint64()),
        pa.array([float("nan"), float("inf"), -0.5]),
        pa.array([-(2**60)] * 3).cast(pa.timestamp("us")),
        pa.array([20514] * 3, pa.int32()).cast(pa.date32()),
        pa.array(["2026-03-02"] * 3),
        pa.array([[1], [2], None]),
        pa.array([b"\xff", b"1", b"now"]),
        pa.array([True, False, None]),
    ],
)
def test_what_is_no_moment_is_rejected(odd):
    rows, ledger = rows_of(VpcParquet(), parquet(columns(start=lambda _: odd)))
    assert not rows.get("flow")
    assert len(ledger.rejects) == 3


def test_a_day_is_no_moment():
    """A flow of a day would be asked about at midnight."""
    rows, ledger = rows_of(VpcParquet(), parquet(columns(**both(lambda _: pa.array(["2026-03-02"] * 3)))))
    assert not rows.get("flow")
    assert len(ledger.rejects) == 3


def test_exports_of_routers_are_none_of_these_logs():
    assert not is_flow_log(["src_addr", "dst_addr", "src_port", "bytes", "start", "end"])
    assert not is_flow_log(["SrcAddr", "DstAddr", "Bytes", "start", "end"])
    assert field_of("Start_Time") == "start"


def test_a_table_without_a_needed_column_says_which():
    found = {name: column for name, column in columns(SPELLINGS["athena"]).items() if name != "endtime"}
    with pytest.raises(SourceError, match="no column end"):
        rows_of(VpcParquet(), parquet(found))


# As CSV and TSV


def written(names, rows, *, delimiter=",", quote='"', end="\n"):
    lines = [names, *rows]
    return "".join(delimiter.join(f"{quote}{value}{quote}" for value in line) + end for line in lines)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_tables_as_text_are_the_same_flows(spelling, delimiter, quote, end):
    names = list(map(SPELLINGS[spelling], FIELDS))
    content = written(names, ROWS, delimiter=delimiter, quote=quote, end=end)
    assert VpcText().matches(content.encode())
    assert flows(content, VpcText()) == flows(as_text(), VpcText())


def test_insights_columns_beside_a_time_and_an_empty_value():
    names = ["@timestamp", *map(SPELLINGS["camel"], FIELDS)]
    rows = [["2026-03-02 10:00:00.000", *row] for row in ROWS]
    rows.append(["2026-03-02 10:00:00.000", "eni-0a", *[""] * 7, *ROWS[0][8:10], "-", "NODATA"])
    rows_read, ledger = rows_of(VpcText(), written(names, rows, quote=""))
    assert len(rows_read["flow"]) == 3
    assert ledger.skipped == {("vpc", "no_data"): 1}
    assert ledger.rejected == {}


def test_bad_rows_are_rejected_by_their_line_and_the_rest_is_kept():
    good = ",".join(f'"{value}"' for value in ROWS[0])
    other = ",".join(ROWS[1]).replace("ACCEPT", '"AC\nCEPT"')
    lines = [",".join(FIELDS), good, "too,few", "", other, good.replace("10.0.2.9", "\udcff"), good + ",1", good]
    lines += [good.replace("40001", "port"), good.replace(ROWS[0][8], "soon"), good.replace("10.0.2.9", 'a"b')]
    content = "\n".join(lines).encode("utf-8", "surrogateescape")
    rows, ledger = rows_of(VpcText(), content)
    assert [row["line"] for row in rows["flow"]] == [2, 5, 9]
    assert sorted((reject.line, reject.reason) for reject in ledger.rejects) == [
        (3, "wrong_columns"),
        (7, "not_text"),
        (8, "wrong_columns"),
        (10, "not_a_number"),
        (11, "not_a_time"),
        (12, "not_an_address"),
    ]


def test_a_table_as_text_without_a_needed_column_says_which():
    with pytest.raises(SourceError, match=r"no column end; add it to the query"):
        rows_of(VpcText(), written(FIELDS[:9], [row[:9] for row in ROWS]))


def test_a_query_with_the_whole_row_is_read_by_the_whole_row():
    """Its columns lack the end."""
    whole = "2 123456789012 eni-0a 10.0.1.1 10.0.2.9 40001 443 6 10 900 1772445600 1772445640 ACCEPT OK"
    content = written(["srcAddr", "interfaceId", "@message"], [["10.0.1.1", "eni-0a", whole]])
    assert not VpcText().matches(content.encode())
    assert len(flows(content, VpcText())) == 1


@pytest.mark.parametrize("read_bytes", [1, 7, 64, 300])
def test_however_it_is_read_a_table_gives_the_same_rows(monkeypatch, read_bytes):
    rows = [[value.replace("ACCEPT", "ACC\r\nEPT") if n % 2 else value for value in row] for n, row in enumerate(ROWS)]
    content = "\n\n" + written(FIELDS, rows, end="\r\n") + "\n" + "too,few\n" + written(ROWS[0], ROWS)
    whole, ledger = rows_of(VpcText(), content)
    monkeypatch.setattr("attribution.sources.delimited.cutting._READ_BYTES", read_bytes)
    pieces, ledger_of_pieces = rows_of(VpcText(), content)
    assert pieces == whole
    assert [row["line"] for row in whole["flow"]] == [4, 5, 7, 10, 11, 12, 13]
    assert ledger_of_pieces.rejects == ledger.rejects
    assert len(ledger.rejects) == 1


def test_a_row_that_never_ends_is_an_error_and_what_stands_before_is_read(monkeypatch):
    monkeypatch.setattr("attribution.sources.delimited.cutting._READ_BYTES", 100)
    monkeypatch.setattr("attribution.sources.delimited.cutting.LARGEST_ROW", 1000)
    with pytest.raises(SourceError, match="the row on line 5 has over"):
        rows_of(VpcText(), written(FIELDS, ROWS) + '"' + "x" * 2000)


def test_a_header_with_an_open_quotation_mark_does_not_swallow_the_rows():
    content = written(FIELDS, ROWS).replace('log_status"', "log_status", 1)
    assert not VpcText().matches(content.encode())
    assert dialect_of(content.encode()) is None


def test_mutated_tables_are_read_rejected_or_refused():
    whole = written(FIELDS, ROWS * 10).encode()
    for seed in range(200):
        content = with_odd_bits(whole, seed, b"\t")
        with suppress(SourceError):
            rows, ledger = rows_of(VpcText(), content)
            assert len(rows.get("flow", ())) + sum(ledger.rejected.values()) + sum(ledger.skipped.values()) > 0
