"""Answers in every format, on a terminal, in a pipe and in a file."""

import csv
import io
import json

import pytest
from tiny_lake import flow, traffic, write_lake
from verbs import csv_rows, ok, run

from attribution.cli.render.output import Column, Output, OutputError


def test_output_goes_to_a_file_that_appears_whole(lake, tmp_path):
    target = tmp_path / "graph.dot"
    assert ok("graph", lake, "--format", "dot", "-o", target) == ""
    assert target.read_text() == ok("graph", lake, "--format", "dot")
    assert ok("graph", lake, "-o", tmp_path / "table.txt") == ""
    assert (tmp_path / "table.txt").read_text() == ok("graph", lake)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.dot", "table.txt"]


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(lake, tmp_path):
    (tmp_path / "target").mkdir()
    result = run("graph", lake, "-o", tmp_path / "no" / "such" / "folder.txt")
    assert isinstance(result.exception, OutputError)
    assert "choose another file with --output" in str(result.exception)
    with pytest.raises(OutputError):
        Output(format="json", path=tmp_path / "target").json([])
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_names_from_logs_cannot_steer_the_terminal_or_break_the_formats(tmp_path):
    name = 'x\x1b[31m"q",[bold]\n=1+1'
    fields = {"remote_service": name, "remote_workload": "w", "remote_method": "heartbeat", "remote_reason": "covered"}
    lake = write_lake(
        tmp_path / "lake", flows=[flow("12:00:00", "10.0.0.1:40000", "10.7.0.1:80", **fields, **traffic(1, 1))]
    )
    text = ok("graph", lake)
    assert "\x1b" not in text
    assert 'x\\x1b[31m"q",[bold]\\n=1+1' in text
    assert csv_rows(ok("graph", lake, "--format", "csv"))[0]["target"] == name
    assert json.loads(ok("graph", lake, "--format", "json"))["edges"][0]["target"] == name


WIDE = [Column(name="name"), Column(name="more", rank=1), Column(name="most", rank=2)]


ROWS = [{"name": "n" * 30, "more": "m" * 40, "most": "x" * 50}]


def test_output_that_is_no_terminal_is_as_wide_as_it_needs_to_be(capsys):
    Output(format="table", path=None).table(WIDE, ROWS)
    text = capsys.readouterr().out
    assert f"{'n' * 30}   {'m' * 40}   {'x' * 50}\n" in text


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "\r", "a\r\nb", 'a",\rb'])
def test_a_line_end_inside_of_a_cell_splits_no_row(capsys, text):
    Output(format="csv", path=None).csv(["one", "other"], [{"one": text, "other": "x"}, {"one": "y", "other": text}])
    written = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    assert [(row["one"].lstrip("'"), row["other"].lstrip("'")) for row in rows] == [(text, "x"), ("y", text)]
    assert written.endswith("\n")
    assert not written.endswith("\r\n")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001 - the wide ones
def test_no_text_is_a_formula_to_a_spreadsheet_and_json_has_it_as_it_is(capsys, begin):
    text = f"{begin}cmd|' /C calc'!A0"
    Output(format="csv", path=None).csv(["name"], [{"name": text}])
    assert capsys.readouterr().out.splitlines()[1].lstrip('"').startswith("'")
    Output(format="json", path=None).json([text])
    assert json.loads(capsys.readouterr().out) == [text]


def test_numbers_stay_numbers_to_a_spreadsheet(capsys):
    row = {"a": -1, "b": -0.5, "c": "-1.5e-07", "d": "+3", "e": None, "f": True}
    Output(format="csv", path=None).csv(list(row), [row])
    assert capsys.readouterr().out.splitlines()[1] == "-1,-0.5,-1.5e-07,+3,,true"
