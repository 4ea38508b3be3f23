"""The oracle gives the expected rows of every golden case, and these are what its README says by hand."""

import json
import re

import pytest
from golden_cases import CASES, case_name
from oracle import attribute
from records import attributed_row

ROW = re.compile(r"^\| (\d+) \| .+ \| (nobody|[\w/-]+)(?: ([0-9a-f]{8}))?, (\w+) \|$", re.MULTILINE)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_oracle_gives_the_expected_rows(case, update_goldens):
    answers = [attribute(case.known, flow, case.settings) for flow in case.flows]
    rows = [attributed_row(row, answer) for row, answer in zip(case.rows("flows.jsonl"), answers, strict=True)]
    if update_goldens:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (case.folder / "expected.jsonl").write_text(lines, encoding="utf-8")
    assert case.expected == rows


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_expected_rows_are_those_that_the_readme_says(case):
    said = {
        int(number): (None if service == "nobody" else service, workload, reason)
        for number, service, workload, reason in ROW.findall(case.about)
    }
    assert sorted(said) == list(range(1, len(case.expected) + 1)), "the table has one row for each flow"
    for number, (service, workload, reason) in said.items():
        row = case.expected[number - 1]
        assert (row.get("remote_service"), row["remote_reason"]) == (service, reason), f"flow {number}"
        assert row.get("remote_workload", "").startswith(workload), f"flow {number}"


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_every_case_names_its_public_bug_or_pattern(case):
    assert re.search(r"^Public (bugs?|pattern): [\w.-]+/[\w.-]+#\d+", case.about, re.MULTILINE)


HOSTNAME = re.compile(r"^\| (\d+) \| .+ \| (?:no name of (\d+)|([\w.]+)), (\w+) \| [^|]+ \|$", re.MULTILINE)
ABOUT_NAMES = ("many_names_on_one_address", "a_name_told_in_another_network")
HANDED = re.compile(r"^\| (\d+) \| .+ \| (?:none|([\w-]+), (\w+), (\w+)) \| [^|]+ \|$", re.MULTILINE)


ABOUT_POOLS = ("a_pool_whose_policies_change", "one_prefix_in_two_networks")


@pytest.mark.parametrize("folder", ABOUT_NAMES)
def test_the_names_are_those_that_the_readme_says(folder):
    (case,) = (case for case in CASES if case.folder.name == folder)
    said = HOSTNAME.findall(case.about)
    assert len(said) == len(case.expected)
    for number, count, name, reason in said:
        row = case.expected[int(number) - 1]
        found = row.get("remote_hostname", row.get("local_hostname", "")), row["hostname_reason"]
        assert found == (name, reason), f"flow {number}"
        assert row["hostname_count"] == int(count or 1), f"flow {number}"


@pytest.mark.parametrize("folder", ABOUT_POOLS)
def test_pools_and_policies_are_those_that_the_readme_says(folder):
    (case,) = (case for case in CASES if case.folder.name == folder)
    said = HANDED.findall(case.about)
    assert len(said) == len(case.expected)
    for number, *handed in said:
        row = case.expected[int(number) - 1]
        found = [row.get(f"remote_{name}", "") for name in ("pool", "policy", "policy_state")]
        assert found == handed, f"flow {number}"


def test_the_thirty_seven_cases_are_there():
    assert len(CASES) == 37
