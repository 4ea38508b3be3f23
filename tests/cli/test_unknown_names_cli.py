"""A question about a name that the lake does not have is an error that says which names are near."""

import json

import pytest
from click.testing import CliRunner
from tiny_lake import write_lake

from attribution.cli import cli
from attribution.errors import QueryError

QUIET = ("--window", "2026-01-05T13:10..2026-01-05T13:20")


def given(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="attribution")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["graph", "{lake}", "--service", "wbe"], "no service of the lake is 'wbe'; did you mean web?"),
        (["graph", "{lake}", "--service", "wbe", "--format", "json"], "did you mean web?"),
        (["graph", "{lake}", "--service", "wbe", "--diff", ".."], "did you mean web?"),
        (["graph", "{lake}", "--service", "wbe", *QUIET], "did you mean web?"),
        (["graph", "{lake}", "--service", "wbe*"], "no service of the lake matches 'wbe*'; did you mean web?"),
        (["graph", "{lake}", "--service", "web", "--service", "apy"], "did you mean api?"),
        (["graph", "{lake}", "--service", "web-1"], "it is a workload of the service web: ask for the service"),
        (["graph", "{lake}", "--service", "q"], "the lake has api, db, lonely-1, object store, web"),
        (["talkers", "{lake}", "--region", "eu-2"], "no region of the lake is 'eu-2'; did you mean eu-1?"),
        (["talkers", "{lake}", "--data-centre", "ams"], "no data centre of the lake is near it"),
        (["whois", "{lake}", "web"], "the last that it had: 10.0.0.1, 10.0.0.2"),
        (["whois", "{lake}", "bucket.example"], "the last that it had: 52.1.2.3"),
        (["whois", "{lake}", "10.0.0.1", "--network", "east"], "no network of the lake is 'east'"),
        (["explain", "{lake}", "--remote", "10.0.0.12", "--local", "10.0.0.13"], "no local address of the lake is"),
        (["explain", "{lake}", "--edge", "web", "apii"], "no end of the lake is 'apii'; did you mean api, "),
        (["explain", "{lake}", "--edge", "web", "api", "--service", "ab"], "no service of the lake is 'ab'"),
    ],
)
def test_an_unknown_name_is_an_error_with_names_that_are_near(lake, arguments, said):
    result = given(*(argument.format(lake=lake) for argument in arguments))
    assert isinstance(result.exception, QueryError)
    assert said in str(result.exception)


@pytest.mark.parametrize("arguments", [["--service", "web"], ["--service", "w?b"], ["--region", "us-*"]])
def test_a_name_that_the_lake_has_elsewhen_is_none(lake, arguments):
    result = given("graph", lake, "--format", "json", *arguments, *QUIET)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["edges"] == []
    assert "has no flow in the window 2026-01-05T13:10:00Z..2026-01-05T13:20:00Z: its flows start from" in result.stderr


def test_names_that_the_window_has_are_not_spoken_of(lake):
    result = given("graph", lake, "--service", "web", "--service", "api", "--region", "eu-1", "--format", "json")
    assert json.loads(result.output)["edges"]
    assert given("graph", lake, "--service", "web", "--port", "1", "--format", "json").stderr == ""


def test_an_address_is_no_name_but_near_ones_are_said(lake, tmp_path):
    result = given("whois", lake, "10.0.0.3")
    assert result.exit_code == 0
    assert "nothing is known of it in this lake" in result.stdout
    assert "addresses that are spelt alike: 10.0.0.31, 10.0.0.1, 10.0.0.2" in result.stderr
    assert given("whois", write_lake(tmp_path / "empty"), "10.0.0.3").exit_code == 0
