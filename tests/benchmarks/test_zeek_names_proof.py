"""The proof on Zeek's logs: DNS alone names the TLS connections, their own server names judge, and errors are shown."""

import importlib.util
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from attribution.config import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = [ROOT / "tests/sources/data/zeek"]
START = 1_575_413_156.0

_spec = importlib.util.spec_from_file_location("zeek_names_proof", ROOT / "benchmarks/zeek_names_proof.py")
proof = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = proof
_spec.loader.exec_module(proof)

CLIENT, OTHER = "10.18.20.97", "10.18.20.98"


def answer(name, *addresses, at=0.0, client=CLIENT, ttl=30.0):
    return {
        "ts": START + at, "uid": f"D{name}{at}", "id.orig_h": client, "id.orig_p": 5000, "id.resp_h": "10.18.20.8",
        "id.resp_p": 53, "proto": "udp", "query": name, "qtype": 1, "qtype_name": "A", "rcode": 0, "rejected": False,
        "answers": list(addresses), "TTLs": [ttl] * len(addresses),
    }  # fmt: skip


def handshake(name, server, *, at=1.0, client=CLIENT):
    row = {
        "ts": START + at, "uid": f"C{name}{at}", "id.orig_h": client, "id.orig_p": 6000, "id.resp_h": server,
        "id.resp_p": 443, "cipher": "TLS_AES_128_GCM_SHA256", "established": True,
    }  # fmt: skip
    return row | ({"server_name": name} if name else {})


def compared(folder, answers, handshakes):
    for log, rows in (("dns", answers), ("ssl", handshakes)):
        (folder / f"{log}.log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return proof.compare([folder])


def test_the_samples_are_named_rightly_or_left_open_with_the_name_among_the_candidates():
    found = proof.compare(SAMPLES)
    assert Counter(one.outcome for one in found) == {"right": 39, "several": 11, "no server name": 37}
    assert all(
        one.connection["server_name"] in one.named["hostname_candidates"] for one in found if one.outcome == "several"
    )


def test_an_answer_that_is_missing_names_a_neighbour_unless_the_address_is_known_to_be_of_a_pool():
    found = proof.compare(SAMPLES)
    lost = proof.without_own_answers(found, SAMPLES, Settings())
    wrong = {one.connection["server_name"]: one.named["remote_hostname"] for one in lost if one.outcome == "wrong"}
    assert wrong == {"s.yimg.com": "mail.aol.com"}
    in_pools = replace(Settings(), pool_prefixes=tuple(proof.shared_addresses(found)))
    again = Counter(one.outcome for one in proof.without_own_answers(found, SAMPLES, in_pools))
    assert again["wrong"] == 0


def test_the_last_name_told_is_wrong_where_several_names_are_at_one_address(tmp_path):
    found = compared(
        tmp_path,
        [answer("a.example", "203.0.113.1"), answer("b.example", "203.0.113.1", at=0.5)],
        [handshake("a.example", "203.0.113.1")],
    )
    assert [one.outcome for one in found] == ["several"]
    assert proof.last_told(found, [tmp_path]) == 1


@pytest.mark.parametrize(
    ("answers", "server", "outcome", "why"),
    [
        ([], "203.0.113.1", "untold", "never told"),
        ([answer("a.example", "203.0.113.2")], "203.0.113.1", "untold", "at other addresses only"),
        ([answer("a.example", "203.0.113.1", client=OTHER)], "203.0.113.1", "untold", "to other clients only"),
        ([answer("a.example", "203.0.113.1", at=-500)], "203.0.113.1", "untold", "not in time"),
        ([answer("b.example", "203.0.113.1")], "203.0.113.1", "wrong", "never told"),
        (
            [answer("b.example", "203.0.113.1"), answer("c.example", "203.0.113.1")],
            "203.0.113.1",
            "lacking",
            "never told",
        ),
    ],
)
def test_every_connection_that_is_not_named_rightly_is_explained(tmp_path, answers, server, outcome, why):
    found = compared(tmp_path, answers, [handshake("a.example", server)])
    assert [one.outcome for one in found] == [outcome]
    assert why in found[0].why
    assert why in "\n".join(proof.report(found, [], []))


def test_a_connection_is_not_named_by_its_own_server_name(tmp_path):
    (one,) = compared(tmp_path, [], [handshake("a.example", "203.0.113.1")])
    assert (one.named["hostname"], one.named["remote_hostname"]) == (None, None)


def test_a_handshake_without_a_name_judges_nothing(tmp_path):
    found = compared(tmp_path, [answer("a.example", "203.0.113.1")], [handshake(None, "203.0.113.1")])
    assert [one.outcome for one in found] == ["no server name"]
    assert "without a server name: told 1" in "\n".join(proof.report(found, [], []))


def test_logs_without_a_connection_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="no TLS connection"):
        compared(tmp_path, [answer("a.example", "203.0.113.1")], [])
