"""Columns that a person chooses: of tables, CSV and lists of JSON."""

import json

import pytest
from click.testing import CliRunner
from tiny_lake import write_tiny_lake
from verbs import csv_rows, ok

from attribution.cli import cli


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_tiny_lake(tmp_path_factory.mktemp("lakes") / "tiny")


def headings(text):
    lines = text.splitlines()
    return [lines[number - 1].split() for number, line in enumerate(lines) if set(line) == {"─"}]


def test_columns_are_written_in_the_order_that_is_asked_for(lake):
    chosen = ("--columns", "flows,service")
    assert headings(ok("talkers", lake, *chosen)) == [["flows", "service"]]
    assert list(csv_rows(ok("talkers", lake, *chosen, "--format", "csv"))[0]) == ["flows", "service"]
    assert list(json.loads(ok("talkers", lake, *chosen, "--format", "json"))[0]) == ["flows", "service"]


def test_of_several_tables_those_are_shown_that_have_all_of_the_columns_or_else_any(lake):
    assert headings(ok("graph", lake, "--columns", "target, source,flows")) == [["target", "source", "flows"]]
    assert headings(ok("graph", lake, "--columns", "node,flows")) == [["node", "flows"]]
    assert headings(ok("graph", lake, "--columns", "node,target")) == [["node"], ["target"]]
    assert headings(ok("whois", lake, "10.0.0.99", "--columns", "workload,start"))[0] == ["workload", "start"]


def test_a_column_that_this_answer_lacks_may_be_chosen(lake):
    assert headings(ok("whois", lake, "10.0.0.1", "--columns", "hostname,workload")) == [["workload"]]


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_an_unknown_column_is_refused_with_the_list(lake, format_):
    result = CliRunner().invoke(cli, ["talkers", str(lake), "--columns", "servce,flows", "--format", format_])
    assert result.exit_code == 2
    assert "no such column 'servce': did you mean service?; choose service, kind, flows, bytes" in result.output


@pytest.mark.parametrize(("columns", "said"), [(",", "name columns"), ("source", "this JSON is one object")])
def test_columns_that_cannot_be_chosen_are_refused(lake, columns, said):
    result = CliRunner().invoke(cli, ["graph", str(lake), "--columns", columns, "--format", "json"])
    assert result.exit_code == 2
    assert said in result.output
