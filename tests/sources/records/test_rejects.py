"""Rejects: the closed list of reasons, and the file in which they are kept."""

import json

import pytest

from attribution.sources.records.rejects import FOUND_CHARACTERS, REASONS, Reject, RejectsFile

REJECT = Reject("flows.log", 7, "not_an_address", "local_address='x'", "flow")


def test_rejects_are_written_as_json_lines_in_order(tmp_path):
    path = tmp_path / "rejects.jsonl"
    with RejectsFile(path) as file:
        file.write(REJECT)
        file.write(Reject("b", 0, "truncated", "ends\nin the middle", "row"))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"source": "flows.log", "line": 7, "reason": "not_an_address", "found": "local_address='x'", "kind": "flow"},
        {"source": "b", "line": 0, "reason": "truncated", "found": "ends\nin the middle", "kind": "row"},
    ]


def test_without_rejects_there_is_no_file(tmp_path):
    with RejectsFile(tmp_path / "rejects.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("found", ["\udcff", "\x00", "\u2028", "\U0001f600", '"', "x" * (FOUND_CHARACTERS * 3)])
def test_whatever_was_found_can_be_written_and_read_back(tmp_path, found):
    path = tmp_path / "rejects.jsonl"
    with RejectsFile(path) as file:
        file.write(Reject("s", 1, "malformed", found, "row"))
    (line,) = path.read_bytes().decode().split("\n")[:-1]
    assert len(json.loads(line.replace("\\udcff", "?"))["found"]) == min(len(found), FOUND_CHARACTERS)


def test_every_reason_is_a_snake_case_word_with_a_sentence():
    for reason, sentence in REASONS.items():
        assert reason.replace("_", "").isalpha()
        assert reason == reason.lower()
        assert sentence[0].isupper()
        assert sentence.endswith(".")
