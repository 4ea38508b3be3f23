"""Whatever a log is wrapped in, its records are those of the plain log."""

import json
import os
import random
from contextlib import suppress

import pytest
from json_log_lines import LINES
from wrappings import OF_LINES, OF_OBJECTS

from attribution.errors import AttributionError, SourceError
from attribution.sources import Ledger, read
from attribution.sources.input import opening
from attribution.sources.wrapping import loki, messages, objects, prefixes, tables

#: `WRAPPING_SEED` and `WRAPPING_TRIES` choose other damage, and more of it.
SEED = os.environ.get("WRAPPING_SEED", "1")
TRIES = int(os.environ.get("WRAPPING_TRIES", "12"))

VPC = [
    f"2 123456789012 eni-0a1b2c3d 10.0.1.{n} 10.0.2.9 4000{n} 443 6 10 1200 177244560{n} 177244564{n} ACCEPT OK"
    for n in range(4)
]
FORMATS = {f"{name}-{n}": (name, [json.dumps(line)] * 3) for n, (name, line) in enumerate(LINES)}
FORMATS["vpc"] = ("vpc", VPC)


def records(path, name=None):
    """Records, and what they were recognised as."""
    ledger = Ledger(max_rejected_share=1)
    found = [(one.kind, row) for one in read([path], ledger=ledger, format=name) for row in one.batch.to_pylist()]
    return found, ledger


WRAPPED = [(around, sample) for sample in FORMATS for around in OF_LINES]
WRAPPED += [(around, sample) for sample in FORMATS if sample != "vpc" for around in OF_OBJECTS]


@pytest.mark.parametrize(("wrapping", "sample"), WRAPPED)
def test_a_wrapped_log_has_the_records_of_the_plain_one(wrapping, sample, tmp_path):
    _, lines = FORMATS[sample]
    plain, around = tmp_path / "plain.log", tmp_path / "around.log"
    plain.write_text("\n".join(lines))
    around.write_bytes((OF_LINES | OF_OBJECTS)[wrapping](lines))
    expected, before = records(plain)
    found, ledger = records(around)
    assert found == expected
    assert found or ledger.skipped
    assert not ledger.rejected
    read_as = {name for _, name in (*ledger.rows, *((r, n) for n, r in ledger.skipped))}
    assert read_as == {name for _, name in before.rows} | {n for n, _ in before.skipped}


def counts(path, name=None):
    """Records, reasons of what was skipped, and (line, reason) of what was rejected."""
    rejects = []
    ledger = Ledger(max_rejected_share=1, sink=lambda one: rejects.append((one.line, one.reason)))
    rows = sum(one.batch.num_rows for one in read([path], ledger=ledger, format=name))
    return rows, {reason: count for (_, reason), count in ledger.skipped.items()}, rejects


AUDIT = json.dumps(next(line for name, line in LINES if name == "kubernetes"))
MESSAGES = [
    ('{"message": 5, "x": 1}', {}, [(2, "wrong_columns")]),
    ('{"message": {"a": 1}}', {}, [(2, "wrong_columns")]),
    ('{"message": null}', {"no_record_inside": 1}, []),
    ('{"messages": "x"}', {"no_record_inside": 1}, []),
    ('{"message": "\\ud800"}', {}, [(2, "wrong_columns")]),
    ('{"message": "', {}, [(2, "malformed")]),
    ("[1, 2]", {}, [(2, "malformed")]),
    ("text", {}, [(2, "malformed")]),
    ("", {}, []),
    ('{"message": ""}', {"no_record_inside": 1}, []),
    ('{"message": " \\n"}', {"no_record_inside": 1}, []),
]


@pytest.mark.parametrize(("odd", "skipped", "rejected"), MESSAGES)
def test_a_line_without_a_message_costs_itself_and_keeps_the_numbers_of_the_others(odd, skipped, rejected, tmp_path):
    lines = [json.dumps({"message": VPC[0]}), odd, json.dumps({"message": VPC[1]}), json.dumps({"message": "7 8"})]
    (tmp_path / "log").write_text("\n".join(lines))
    assert counts(tmp_path / "log") == (2, skipped, [*rejected, (4, "wrong_columns")])


def test_bytes_that_are_no_utf_8_cost_their_line(tmp_path):
    lines = [json.dumps({"message": VPC[0]}).encode(), b'{"message": "\xff"}', json.dumps({"message": VPC[1]}).encode()]
    (tmp_path / "log").write_bytes(b"\n".join(lines))
    assert counts(tmp_path / "log") == (2, {}, [(2, "not_text")])


def test_items_between_the_events_of_an_envelope_that_are_none_are_rejected_by_their_number(tmp_path):
    first, second = (json.dumps({"id": "1", "message": one}) for one in VPC[:2])
    (tmp_path / "log").write_text(f'{{"logEvents": [{first}, 7, null, {second}], "logGroup": "}}{{"}}')
    assert counts(tmp_path / "log") == (2, {}, [(2, "malformed")])


def test_an_envelope_that_breaks_off_says_so_and_keeps_what_is_whole(tmp_path):
    content = OF_LINES["CloudWatch subscription"](VPC)
    (tmp_path / "log").write_bytes(content[:-20])
    assert counts(tmp_path / "log") == (3, {"control_message": 1}, [(5, "malformed")])


def test_messages_of_other_programs_in_one_stream_are_skipped_and_counted(tmp_path):
    messages = ["I0302 10:00:00 audit.go:1] started", AUDIT, '{"kind": "Event"[Truncated...]', AUDIT[:-1]]
    (tmp_path / "log").write_bytes(OF_LINES["CloudWatch subscription"](messages))
    rows, skipped, rejected = counts(tmp_path / "log")
    assert rows == 1
    assert skipped == {"control_message": 1, "other_program": 1, "cut_by_service": 1}
    assert rejected == [(5, "malformed")]


def test_labels_are_fields_only_if_a_format_says_so(tmp_path):
    _, line = next(found for found in LINES if found[0] == "netobserv")
    bare = {key: value for key, value in line.items() if key != "SrcK8S_Namespace"}
    labels = {"SrcK8S_Namespace": "b", "SrcAddr": "10.9.9.9", "network": "x", "local_workload": "x"}
    entry = {"labels": labels, "line": json.dumps(bare), "timestamp": "2026-03-02T10:00:00Z"}
    (tmp_path / "loki").write_text(json.dumps(entry))
    (tmp_path / "plain").write_text(json.dumps(line))
    assert records(tmp_path / "loki")[0] == records(tmp_path / "plain")[0]
    native = json.dumps(next(row for kind, row in LINES if kind == "native" and "local_address" in row))
    (tmp_path / "loki").write_text(json.dumps({"labels": labels, "line": native, "timestamp": "t"}))
    (tmp_path / "plain").write_text(native)
    assert records(tmp_path / "loki")[0] == records(tmp_path / "plain")[0]


def test_a_chosen_format_is_unwrapped_too_and_a_plain_log_of_it_is_not(tmp_path):
    (tmp_path / "around").write_bytes(OF_LINES["Firehose"](VPC))
    (tmp_path / "plain").write_text("\n".join(VPC))
    assert (
        records(tmp_path / "around", "vpc")[0]
        == records(tmp_path / "plain", "vpc")[0]
        == records(tmp_path / "plain")[0]
    )


def test_a_wrapping_around_what_is_no_log_is_not_taken_off(tmp_path):
    (tmp_path / "log").write_bytes(OF_LINES["CloudWatch subscription"](["hello", "world"]))
    with pytest.raises(SourceError, match="message` in events of a CloudWatch subscription there is b'hello"):
        counts(tmp_path / "log")


@pytest.mark.parametrize("wrapping", OF_LINES)
def test_the_size_of_what_is_read_at_once_changes_nothing(wrapping, tmp_path, monkeypatch):
    (tmp_path / "log").write_bytes(OF_LINES[wrapping]([*VPC, "7 8", *VPC]))
    expected = records(tmp_path / "log")[0], counts(tmp_path / "log")
    for module in (objects, messages, prefixes, tables, loki):
        for name in ("_READ_BYTES", "_BLOCK_BYTES"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, 7 if module is not tables else 300)
    monkeypatch.setattr(opening.OpenInput, "lines", in_small_blocks(opening.OpenInput.lines))
    assert (records(tmp_path / "log")[0], counts(tmp_path / "log")) == expected


def in_small_blocks(lines):
    """Blocks of lines as small as may be."""

    def small(self, block_bytes):
        return lines(self, min(block_bytes, 100))

    return small


INSERTED = (b'"', b"{", b"}", b"[", b"]", b"\\", b"\n", b"\xff", b"\x00", b"\\ud800", b",")


@pytest.mark.parametrize("wrapping", [*OF_LINES, *OF_OBJECTS])
@pytest.mark.parametrize("sample", ["vpc", "hubble-0", "kubernetes-9"])
def test_damage_anywhere_is_an_error_of_this_package_or_a_reject(wrapping, sample, tmp_path):
    name, lines = FORMATS[sample]
    if sample == "vpc" and wrapping in OF_OBJECTS:
        return
    whole = (OF_LINES | OF_OBJECTS)[wrapping](lines)
    rng = random.Random(f"{wrapping} {sample} {SEED}")
    for _ in range(TRIES):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(len(content))
            way = rng.randrange(4)
            if way == 0:
                content[at] = rng.randrange(256)
            elif way == 1:
                del content[at : at + rng.choice((1, 9, len(content)))]
                content += b" "
            elif way == 2:
                content[at:at] = rng.choice(
                    (b'"', b"{", b"}", b"[", b"]", b"\\", b"\n", b"\xff", b"\x00", b"\\ud800", b",")
                )
            else:
                content[at:at] = content[rng.randrange(len(content)) :][:40]
        (tmp_path / "log").write_bytes(content)
        with suppress(AttributionError):
            ledger = Ledger(max_rejected_share=1)
            for one in read([tmp_path / "log"], ledger=ledger, format=rng.choice((None, name))):
                one.batch.validate(full=True)


def test_what_persons_keep_is_not_found_in_the_messages_of_programs(tmp_path):
    (tmp_path / "log").write_bytes(OF_LINES["Firehose"](["10.0.0.0/24 unreachable", "10.0.1.0/24 unreachable"]))
    with pytest.raises(SourceError, match="cannot tell the format"):
        counts(tmp_path / "log")


def test_a_first_record_that_is_longer_than_the_head_is_found(tmp_path):
    long = json.dumps(json.loads(AUDIT) | {"annotations": {"x": "y" * 200_000}})
    (tmp_path / "log").write_bytes(OF_LINES["CloudWatch subscription"]([long, AUDIT]))
    assert counts(tmp_path / "log")[0] == counts(tmp_path / "log", "kubernetes")[0] == 2
    others = [f"I0302 10:00:00 audit.go:1] {n}" for n in range(10_000)]
    (tmp_path / "log").write_bytes(OF_LINES["CloudWatch subscription"]([*others, AUDIT]))
    assert counts(tmp_path / "log")[:2] == (1, {"control_message": 1, "other_program": 10_000})


def test_rows_of_insights_that_cannot_be_read_cost_only_themselves(tmp_path):
    path = tmp_path / "x"
    whole = OF_LINES["Insights, JSON"](VPC[:3])
    broken = whole.replace(VPC[1].encode(), VPC[1].encode() + b'" 1 "')
    path.write_bytes(broken)
    assert counts(path) == (2, {}, [(2, "malformed")])
    path.write_bytes(b"[1, 2" + whole)
    assert counts_or_reason(path) == "refused"


def counts_or_reason(path):
    try:
        return counts(path)
    except SourceError:
        return "refused"


def test_a_message_that_is_nested_too_deeply_costs_only_itself(tmp_path):
    path = tmp_path / "x"
    lines = [json.dumps({"insertId": "x", "timestamp": "t", "jsonPayload": line}) for name, line in LINES[:1]] * 3
    deep = '{"insertId": "x", "timestamp": "t", "jsonPayload": ' + '{"a":' * 80 + "1" + "}" * 81
    path.write_text("\n".join([lines[0], deep, lines[1]]))
    rows, skipped, rejects = counts(path)
    assert (rows > 0, skipped, rejects) == (True, {}, [(2, "malformed")])


@pytest.mark.parametrize("wrapping", [name for name in OF_LINES if "messages only" not in name])
def test_a_first_record_that_is_none_hides_no_wrapping(wrapping, tmp_path):
    path = tmp_path / "x"
    line = json.dumps(next(line for name, line in LINES if name == "dnstap"))
    path.write_bytes(OF_LINES[wrapping](['{"a": 1}', line, line]))
    rows, skipped, rejects = counts(path)
    assert (rows, skipped.keys() <= {"control_message", "no_record_inside"}) == (2, True)
    assert [reason for _, reason in rejects] == ["malformed"]
