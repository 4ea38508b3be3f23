"""DNS logs with one JSON object an answer: dnstap, and Route 53 Resolver's query log."""

import json

import pytest
from memory_input import rows_of

from attribution.sources.formats.dns.dnstap import Dnstap
from attribution.sources.formats.dns.route53_resolver import Route53Resolver

T0 = 1_767_225_600_000_000


def message(answers, *, of="CLIENT_RESPONSE", status="NOERROR", kind="A", subnet=None, **more):
    """A message as golang-dnstap prints it, its DNS message as miekg/dns does."""
    option = (
        "" if subnet is None else f"\n;; OPT PSEUDOSECTION:\n; EDNS: version 0; flags:; udp: 1232\n; SUBNET: {subnet}\n"
    )
    section = "".join(f"{line}\n" for line in answers)
    text = (
        f";; opcode: QUERY, status: {status}, id: 4197\n"
        f";; flags: qr rd ra; QUERY: 1, ANSWER: {len(answers)}, AUTHORITY: 0, ADDITIONAL: 1\n{option}"
        f"\n;; QUESTION SECTION:\n;Shop.Example.\tIN\t {kind}\n"
        + (f"\n;; ANSWER SECTION:\n{section}" if answers else "")
        + "\n;; ADDITIONAL SECTION:\nns.example.\t60\tIN\tA\t192.0.2.53\n"
    )
    inner = {
        "type": of,
        "query_time": "2025-12-31T23:59:59.5Z",
        "response_time": "2026-01-01T00:00:00.000123456Z",
        "socket_family": "INET",
        "socket_protocol": "UDP",
        "query_address": "10.0.0.7",
        "response_address": "10.0.0.53",
        "query_port": 40112,
        "response_port": 53,
        "response_message": text,
    }
    return {"type": "MESSAGE", "identity": "ns1", "version": "x", "message": {**inner, **more}}


def lines(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def binding(server, line, **more):
    return {"client_address": "10.0.0.7", "server_address": server, "hostname": "shop.example", "time": T0 + 123} | {
        "line": line,
        **more,
    }


def test_what_a_client_was_told_is_a_name_binding_for_each_address_and_the_smallest_ttl_on_the_way():
    rows, ledger = rows_of(
        Dnstap(),
        lines(
            message(["Shop.Example.\t300\tIN\tA\t192.0.2.1", "Shop.Example.\t200\tIN\tA\t192.0.2.2"]),
            message(
                [
                    "Shop.Example.\t300\tIN\tCNAME\tx.example.",
                    "x.example.\t20\tIN\tCNAME\ty.example.",
                    "y.example.\t60\tIN\tAAAA\t2001:db8::1",
                ],
                kind="AAAA",
            ),
        ),
    )
    assert rows == {
        "name_binding": [
            binding("192.0.2.1", 1, ttl=300.0),
            binding("192.0.2.2", 1, ttl=200.0),
            binding("2001:db8::1", 2, ttl=20.0),
        ]
    }
    assert not ledger.skipped
    assert not ledger.rejected


@pytest.mark.parametrize(
    ("subnet", "prefix"),
    [
        ("198.51.100.0/24/24", "198.51.100.0/24"),
        ("198.51.100.0/24/20", "198.51.96.0/20"),
        ("198.51.100.0/24/28", "198.51.100.0/24"),
        ("198.51.100.0/24/0", "198.51.100.0/24"),
        ("[2001:db8:7::]/48/40", "2001:db8::/40"),
        ("0.0.0.0/0/0", None),
    ],
)
def test_the_client_subnet_says_for_whom_a_resolver_asked(subnet, prefix):
    answer = ["Shop.Example.\t30\tIN\tA\t192.0.2.1"]
    rows, _ = rows_of(Dnstap(), lines(message(answer, of="AUTH_RESPONSE", subnet=subnet)))
    (row,) = rows["name_binding"]
    assert row.get("client_prefix") == prefix
    assert row["client_address"] == "10.0.0.7"


def test_the_client_subnet_of_the_question_counts_where_the_answer_has_none():
    asked = message([], subnet="198.51.100.0/24/0")["message"]["response_message"]
    answer = message(["Shop.Example.\t30\tIN\tA\t192.0.2.1"], query_message=asked)
    rows, _ = rows_of(Dnstap(), lines(answer))
    assert rows["name_binding"][0]["client_prefix"] == "198.51.100.0/24"


def test_what_is_no_answer_to_a_client_is_skipped_and_what_is_no_message_rejected():
    address = ["Shop.Example.\t30\tIN\tA\t192.0.2.1"]
    alias = ["Shop.Example.\t30\tIN\tCNAME\tx.example."]
    rows, ledger = rows_of(
        Dnstap(),
        lines(
            message(address, of="RESOLVER_RESPONSE"),
            message(address, of="CLIENT_QUERY"),
            message(address, response_message=None),
            message([], status="NXDOMAIN"),
            message(["Shop.Example.\t30\tIN\tMX\t10 mail.example."], kind="MX"),
            message([]),
            message(alias),
            message(address, response_message="parse failed: dns: overflow"),
            message(address, query_address="nowhere"),
        )
        + "{\n",
    )
    assert rows == {"name_binding": []}
    assert {reason: n for (_, reason), n in ledger.skipped.items()} == {
        "other_message": 2,
        "no_message": 1,
        "dns_error": 1,
        "no_address_query": 1,
        "no_answer": 2,
    }
    assert [(reject.line, reject.reason) for reject in ledger.rejects] == [
        (8, "malformed"),
        (10, "malformed"),
        (9, "not_an_address"),
    ]


def query(**more):
    """An entry of the log, with the fields of the example in Amazon's documentation."""
    return {
        "version": "1.100000",
        "account_id": "111122223333",
        "region": "us-east-1",
        "vpc_id": "vpc-7example",
        "query_timestamp": "2026-01-01T00:00:00Z",
        "query_name": "Shop.Example.",
        "query_type": "A",
        "query_class": "IN",
        "rcode": "NOERROR",
        "answers": [
            {"Rdata": "x.example.", "Type": "CNAME", "Class": "IN"},
            {"Rdata": "192.0.2.1", "Type": "A", "Class": "IN"},
        ],
        "srcaddr": "10.0.0.7",
        "srcport": "56067",
        "transport": "UDP",
        "srcids": {"instance": "i-0d15cd0d3example"},
    } | more


def test_the_resolvers_log_binds_for_no_known_time():
    rows, ledger = rows_of(
        Route53Resolver(),
        lines(
            query(),
            query(rcode="NXDOMAIN", answers=[]),
            query(query_type="PTR"),
            query(answers=[]),
            query(answers=None),
            query(answers=[{"Rdata": "192.0.2.1"}]),
        ),
    )
    assert rows == {"name_binding": [binding("192.0.2.1", 1, time=T0, network="vpc-7example")]}
    assert {reason: n for (_, reason), n in ledger.skipped.items()} == {
        "dns_error": 1,
        "no_address_query": 1,
        "no_answer": 2,
    }
    assert ledger.rejected == {("route53_resolver", "malformed"): 1}


@pytest.mark.parametrize(
    ("known", "content"),
    [
        (Dnstap(), lines(message([]))),
        (Route53Resolver(), lines(query())),
    ],
)
def test_each_log_is_known_by_its_first_line(known, content):
    assert known.matches(content.encode())
    assert not known.matches(lines({"type": "MESSAGE", "message": "hello"}, {"query_name": "x"}).encode())
    assert not known.matches(b"[pools]\n")
