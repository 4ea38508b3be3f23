"""Prefix labels: AWS's published ranges and plain prefix files."""

import json
from pathlib import Path

import pytest
from memory_input import rows_of

from attribution.errors import SourceError
from attribution.schema import LABEL
from attribution.sources.formats.labels import AwsRanges, PrefixFile

DATA = Path(__file__).parents[1] / "data" / "aws"


def label(prefix, service, line, **more):
    return {"prefix": prefix, "service": service, **more, "line": line}


def test_a_prefix_gets_the_name_of_its_most_special_service():
    rows, ledger = rows_of(AwsRanges(), (DATA / "ip-ranges.json").read_bytes())
    assert rows[LABEL] == [
        label("192.0.2.0/24", "aws:AMAZON", 1, kind="aws", region="eu-west-1"),
        label("198.51.100.0/25", "aws:EC2", 5, kind="aws", region="eu-west-1"),
        label("198.51.100.128/25", "aws:S3", 7, kind="aws", region="us-east-1"),
        label("203.0.113.0/26", "aws:CLOUDFRONT", 8, kind="aws", region="GLOBAL"),
        label("203.0.113.0/26", "aws:CLOUDFRONT_ORIGIN_FACING", 9, kind="aws", region="GLOBAL"),
        label("203.0.113.64/26", "aws:ROUTE53_HEALTHCHECKS", 10, kind="aws", region="us-west-2"),
        label("2001:db8:1::/48", "aws:S3", 12, kind="aws", region="eu-west-1"),
    ]
    assert ledger.skipped == {("aws_ip_ranges", "general_service"): 5}
    assert ledger.rejected == {}


def test_broken_entries_are_rejected():
    entries = [{"ip_prefix": "10.0.0.1/8", "service": "S3"}, {"service": "S3"}, {"ip_prefix": "10.0.0.0/8"}, 7]
    entries.append({"ip_prefix": "10.0.0.0/8", "service": "S3"})
    rows, ledger = rows_of(AwsRanges(), json.dumps({"prefixes": entries}))
    assert rows[LABEL] == [label("10.0.0.0/8", "aws:S3", 5, kind="aws")]
    assert sorted((r.line, r.reason) for r in ledger.rejects) == [
        (1, "not_a_prefix"),
        (2, "malformed"),
        (3, "malformed"),
        (4, "malformed"),
    ]


def test_a_file_that_is_cut_off_is_refused():
    with pytest.raises(SourceError, match=r"cannot read here as AWS's ip-ranges\.json: .*download"):
        rows_of(AwsRanges(), (DATA / "ip-ranges.json").read_bytes()[:500], name="here")


def test_a_line_of_a_prefix_file_is_a_prefix_and_a_name():
    text = "# offices\n\n10.8.0.0/16 office Berlin\n10.9.0.0/16\tpartner # since May\n"
    text += "2001:DB8::/32 lab\n192.0.2.7 printer\n"
    rows, ledger = rows_of(PrefixFile(), text)
    assert rows[LABEL] == [
        label("10.8.0.0/16", "office Berlin", 3),
        label("10.9.0.0/16", "partner", 4),
        label("2001:db8::/32", "lab", 5),
        label("192.0.2.7/32", "printer", 6),
    ]
    assert (ledger.skipped, ledger.rejected) == ({}, {})


@pytest.mark.parametrize(
    "text",
    [
        "prefix,name,kind,region\n10.8.0.0/16,office Berlin,office,eu\n10.9.0.0/16,partner\n",
        "# ours\r\nRegion, Kind, Service, Prefix\r\neu,office,office Berlin,10.8.0.0/16\r\n,,partner,10.9.0.0/16\r\n",
        'prefix,name,kind,region\n10.8.0.0/16,"office Berlin",office,eu\n10.9.0.0/16,partner,,\n',
    ],
)
def test_a_prefix_file_may_be_csv(text):
    rows, ledger = rows_of(PrefixFile(), text)
    berlin, partner = ({k: v for k, v in row.items() if k != "line"} for row in rows[LABEL])
    assert berlin == {"prefix": "10.8.0.0/16", "service": "office Berlin", "kind": "office", "region": "eu"}
    assert partner == {"prefix": "10.9.0.0/16", "service": "partner"}
    assert ledger.rejected == {}


def test_bad_lines_of_a_prefix_file_are_rejected():
    rows, ledger = rows_of(PrefixFile(), "10.8.0.0/16 office\n10.9.0.0/16\n10.9.0.1/16 host bits\nnowhere at all\n")
    assert rows[LABEL] == [label("10.8.0.0/16", "office", 1)]
    assert sorted((r.line, r.reason) for r in ledger.rejects) == [
        (2, "malformed"),
        (3, "not_a_prefix"),
        (4, "not_a_prefix"),
    ]


@pytest.mark.parametrize("block_bytes", [1, 30, 1000])
def test_the_size_of_blocks_changes_nothing(block_bytes):
    text = "# all\n\nprefix,name\n" + "".join(f"10.{n}.0.0/16,site {n}\n" for n in range(20))
    rows, ledger = rows_of(PrefixFile(), text, block_bytes=block_bytes)
    assert [(r["prefix"], r["service"], r["line"]) for r in rows[LABEL]] == [
        (f"10.{n}.0.0/16", f"site {n}", n + 4) for n in range(20)
    ]
    assert ledger.rejected == {}


def test_both_are_told_apart_by_content():
    ranges = (DATA / "ip-ranges.json").read_bytes()
    assert AwsRanges().matches(ranges)
    assert not PrefixFile().matches(ranges)
    for text in (b"10.8.0.0/16 office\n", b"# x\n\n2001:db8::/32\tlab\n", b"Prefix, Name\n", b"kind,service,prefix\n"):
        assert PrefixFile().matches(text)
        assert not AwsRanges().matches(text)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"# nothing\n",
        b"10.8.0.0/16\n",
        b'10.0.0.1 - - [10/Oct/2000:13:55:36] "GET /"\n',
        b"2 123456789010 eni-0a 10.0.0.1 10.0.0.2\n",
        b'{"prefix": "10.8.0.0/16", "service": "office"}\n',
        b"version,name\n",
        b"\xff\xfe/ x\n",
    ],
)
def test_other_content_is_not_taken_for_labels(head):
    assert not AwsRanges().matches(head)
    assert not PrefixFile().matches(head)


def test_a_csv_line_that_cannot_be_split_costs_only_itself():
    lines = ["prefix,name", "10.0.0.0/8,a", "10.1.0.0/16,a\rb", f'10.2.0.0/16,"{"x" * 200_000}"', "10.3.0.0/16,c"]
    rows, ledger = rows_of(PrefixFile(), "\n".join(lines).encode() + b"\n10.4.0.0/16,caf\xe9")
    assert [(row["prefix"], row["line"]) for row in rows["label"]] == [("10.0.0.0/8", 2), ("10.3.0.0/16", 5)]
    bad = [(one.line, one.reason) for one in ledger.rejects]
    assert sorted(bad) == [(3, "malformed"), (4, "malformed"), (6, "not_text")]
