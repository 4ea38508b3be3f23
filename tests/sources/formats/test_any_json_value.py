"""Whatever JSON value stands in whatever field of a log, the other lines are read and every line is accounted for."""

import json
from contextlib import suppress
from copy import deepcopy

import pytest
from json_log_lines import LINES, T0

from attribution.errors import SourceError
from attribution.sources import Ledger, read

VALUES = [
    None,
    True,
    3,
    1.5,
    float("nan"),
    10**30,
    "text",
    "\ud800",
    "",
    [],
    [None],
    ["a", 1],
    [{"x": [1]}],
    {},
    {"a": {}},
]


def paths(value, path=()):
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from paths(inner, (*path, key))


def with_value(line, path, value):
    changed = deepcopy(line)
    *outer, last = path
    inside = changed
    for key in outer:
        inside = inside[key]
    inside[last] = value
    return changed


FORMATS = pytest.mark.parametrize(("name", "line"), LINES, ids=lambda value: value if isinstance(value, str) else "")


def rejected_lines(name, lines, path):
    """The numbers of the lines that are rejected; all are accounted for."""
    path.write_text("\n".join(map(json.dumps, lines)))
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1)
    for found in read([path], ledger=ledger, format=name):
        found.batch.validate(full=True)
    assert ledger.rows.total() + ledger.skipped.total() + ledger.rejected.total() >= len(lines)
    return {reject.line for reject in rejects}


@FORMATS
def test_a_log_in_which_a_field_is_a_list_or_an_object_is_read(name, line, tmp_path):
    for place in paths(line):
        for value in ([1], [{"x": [1]}], {"a": 1}):
            rejected_lines(name, [with_value(line, place, value)] * 2, tmp_path / "log.json")


@FORMATS
def test_whatever_the_value_of_a_field_the_lines_beside_it_are_read(name, line, tmp_path):
    for place in paths(line):
        odd = [with_value(line, place, value) for value in VALUES]
        lines = [one for pair in zip(odd, [line] * len(odd), strict=True) for one in pair]
        assert {number % 2 for number in rejected_lines(name, lines, tmp_path / "log.json")} <= {1}, place


RANGES = {"prefixes": [{"ip_prefix": "192.0.2.0/24", "service": "S3", "region": "eu"}], "ipv6_prefixes": []}
RULES = {
    "pools": {"edge": ["192.0.2.0/24"]},
    "policies": [{"name": "free", "pool": "edge", "match": {"a": "b"}, "priority": 1, "ttl": 30, "start": T0}],
    "socket_rules": [{"name": "web", "pool": "edge", "ports": [443], "protocol": "tcp", "service": "s", "end": T0}],
}
LOKI = {"data": {"resultType": "streams", "result": [{"stream": {"AgentIP": "a"}, "values": [["1", "{}"]]}]}}

PODS = {
    "seenAt": "2026-03-02T10:00:00Z",
    "fromCache": False,
    "apiVersion": "v1",
    "kind": "List",
    "metadata": {"resourceVersion": ""},
    "items": [
        next(line for name, line in LINES if name == "kubernetes"),
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "n", "namespace": "kube-node-lease"},
            "spec": {"renewTime": "2026-03-02T10:00:00.000000Z"},
        },
    ],
}


def places(value, path=()):
    """Every place in a document, in lists too."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


@pytest.mark.parametrize(
    ("name", "document"),
    [("aws_ip_ranges", RANGES), ("policies", RULES), ("netobserv", LOKI), ("kubernetes", PODS)],
    ids=["aws_ip_ranges", "policies", "netobserv", "kubernetes"],
)
def test_a_document_with_any_value_at_any_place_is_read_or_refused(name, document, tmp_path):
    path = tmp_path / "document.json"
    for place in places(document):
        for value in VALUES:
            path.write_text(json.dumps(with_value(document, place, value)))
            with suppress(SourceError):
                for found in read([path], ledger=Ledger(max_rejected_share=1), format=name):
                    found.batch.validate(full=True)
