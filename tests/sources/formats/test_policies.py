"""Documents of policies, pools and socket rules."""

import json

import pytest
from memory_input import MemoryInput, rows_of

from attribution.errors import SourceError
from attribution.sources import Ledger, read, registry
from attribution.sources.formats.policies import Policies

TOML = """
# what is served from where
[pools]
edge = ["192.0.2.0/24", "2001:db8:0:1::/64"]
static = [{ prefix = "198.51.100.0/24", end = 2026-03-01T00:00:00Z }]

[[policies]]
name = "free"
pool = "edge"
match = { account_type = "free", data_centre = ["fra", "ams"] }
ttl = "30s"
priority = 5
start = 2026-03-02T00:00:00Z

[[policies]]
name = "before"
pool = "static"
ttl = 300

[[policies]]
name = "own"
prefixes = "203.0.113.7/32"
start = 2026-03-02T00:00:00
end = "2026-03-03T01:00:00+01:00"

[[socket_rules]]
name = "web"
pool = "static"
ports = [80, "8000-8099"]
protocol = ["tcp", "udp"]
service = "frontend"
start = 2026-02-01T00:00:00Z

[[socket_rules]]
name = "rest"
prefixes = ["192.0.2.0/24"]
service = "sink"
priority = -1
data_centre = "ams"
"""
DAY = 86_400_000_000
MARCH = 1_772_323_200_000_000


def test_a_document_becomes_a_record_for_each_prefix_and_choice():
    rows, ledger = rows_of(Policies(), TOML)
    free = {"policy": "free", "pool": "edge", "priority": 5, "ttl": 30.0, "start": MARCH + DAY, "line": 1}
    assert rows["policy"] == [
        free | {"prefix": prefix, "match": f"account_type=free,data_centre={centre}"}
        for prefix in ("192.0.2.0/24", "2001:db8:0:1::/64")
        for centre in ("fra", "ams")
    ] + [
        {"policy": "before", "pool": "static", "prefix": "198.51.100.0/24", "ttl": 300.0, "end": MARCH, "line": 2},
        {"policy": "own", "pool": "own", "prefix": "203.0.113.7/32", "start": MARCH + DAY, "end": MARCH + 2 * DAY}
        | {"line": 3},
    ]
    web = {"rule": "web", "prefix": "198.51.100.0/24", "service": "frontend", "end": MARCH, "line": 1}
    web |= {"start": MARCH - 28 * DAY}
    assert rows["socket_rule"] == [
        *(web | {"port": 80, "protocol": protocol} for protocol in (6, 17)),
        *(web | {"port": 8000, "last_port": 8099, "protocol": protocol} for protocol in (6, 17)),
        {"rule": "rest", "prefix": "192.0.2.0/24", "service": "sink", "priority": -1, "data_centre": "ams", "line": 2},
    ]
    assert not ledger.rejected
    assert not ledger.skipped


def test_json_says_the_same():
    document = {
        "policies": [{"name": "free", "pool": "edge", "start": "2026-03-02T00:00:00Z", "match": "b=2, a = 1"}],
        "pools": {"edge": ["192.0.2.0/24"]},
    }
    rows, _ = rows_of(Policies(), json.dumps(document, indent=2))
    (row,) = rows["policy"]
    assert row == {"policy": "free", "pool": "edge", "prefix": "192.0.2.0/24", "match": "a=1,b=2", "line": 1} | {
        "start": MARCH + DAY
    }


def test_a_prefix_that_left_its_pool_before_a_policy_began_is_skipped():
    document = TOML + '\n[[policies]]\nname = "late"\npool = "static"\nstart = 2026-03-02T00:00:00Z\n'
    rows, ledger = rows_of(Policies(), document)
    assert "late" not in {row["policy"] for row in rows["policy"]}
    assert ledger.skipped == {("policies", "never_in_force"): 1}


def test_values_that_no_record_can_have_are_rejected_by_themselves():
    rows, ledger = rows_of(
        Policies(),
        '[[policies]]\nname = "x"\nprefixes = ["192.0.2.1/24"]\n'
        '[[policies]]\nname = "a"\nprefixes = ["192.0.2.0/24"]\n'
        '[[policies]]\nname = "b"\nprefixes = ["192.0.2.0/24"]\nmatch = "c"\n'
        '[[socket_rules]]\nname = "r"\nservice = "s"\nprefixes = ["192.0.2.0/24"]\nports = "90-80"\n'
        '[[socket_rules]]\nname = "r"\nservice = "s"\nprefixes = ["192.0.2.0/24"]\nports = 70000\n',
    )
    assert [(row["policy"], row["prefix"]) for row in rows["policy"]] == [("a", "192.0.2.0/24")]
    assert ledger.rejected == {
        ("policies", "not_a_prefix"): 1,
        ("policies", "not_a_match"): 1,
        ("policies", "not_a_port_range"): 1,
        ("policies", "impossible_port"): 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[policies]]\nname = "a"\npool = "x"\n', "entry 1 of policies: there is no pool 'x'; the pools are none"),
        ('[[policies]]\nprefixes = ["192.0.2.0/24"]\n', "entry 1 of policies: name must be a text, found None"),
        ('[[policies]]\nname = "a"\nprefixes = []\n', "prefixes is empty"),
        ('[[policies]]\nname = "a"\nprioriti = 1\n', "unknown key 'prioriti'; the keys are name, pool"),
        ('[[policies]]\nname = "a"\nprefixes = ["192.0.2.0/24"]\nttl = "soon"\n', "ttl: cannot read the duration"),
        ('[[policies]]\nname = "a"\nprefixes = ["192.0.2.0/24"]\nstart = 5\n', "start must be a time like"),
        ('[[policies]]\nname = "a"\nprefixes = ["192.0.2.0/24"]\nmatch = { a = "b,c" }\n', "match, a: a text without"),
        ('[pools]\nx = ["192.0.2.0/24"]\n[[policies]]\nname = "a"\npool = "x"\nprefixes = ["::/0"]\n', "give one of"),
        ("[pools]\nx = [7]\n", "pools, x, prefix 1: it must be a table, found 7"),
        ('[pools]\nx = [{ prefix = "192.0.2.0/24", until = 1 }]\n', "unknown key 'until'"),
        ('[[socket_rules]]\nname = "a"\nservice = "s"\nprefixes = ["::/0"]\nports = "http"\n', "ports must be numbers"),
        ('[policies]\nname = "a"\n', "policies must be a list of tables"),
        ("[[policies]]\nname = \n", "cannot read the policies of memory: "),
        ('{"policies": [], "rules": []}', "unknown key 'rules'; the keys are pools, policies, socket_rules"),
        ('{"pools": {}', "cannot read the policies of memory: "),
    ],
)
def test_an_entry_that_is_not_understood_refuses_the_document(text, message):
    assert Policies().matches(text.encode())
    with pytest.raises(SourceError) as raised:
        list(Policies().read(MemoryInput(text), Ledger().of(Policies())))
    assert message in str(raised.value)


def test_a_document_is_known_by_its_first_table_and_other_formats_are_not_taken_for_one(tmp_path):
    path = tmp_path / "x"
    path.write_text("﻿\n# pools\n\n" + TOML)
    assert {found.format for found in read([path], ledger=Ledger())} == {"policies"}
    for other in (b'{"prefix": "10.0.0.0/8", "policies": []}', b"[attribution]\nhold = 1", b"10.0.0.0/8 policies"):
        assert not Policies().matches(other)
    assert registry.detect(MemoryInput(b'{"policy": "a", "pool": "b", "prefix": "::/0"}')).format.name == "native"
