"""Commands that are given wrongly: exit status 2, usage, a hint to `--help`, and what may have been meant."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from attribution.cli import cli


def given(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="attribution")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grpah", "lake"], "no such command 'grpah': did you mean graph?"),
        (["Talkers"], "did you mean talkers?"),
        (["eval"], "did you mean evaluate?"),
        (["nothing-like-it"], "choose agility, "),
        (["agility", "lod", "lake"], "no such command 'lod': did you mean load?"),
        (["lab", "rum"], "did you mean run?"),
        (["topics", "creat"], "did you mean create?"),
        (["graph", "lake", "--windwo", "-1h.."], "Did you mean '--window'?"),
        (["agility", "load", "lake", "--pol", "x"], "--pool"),
        (["simulate", "--set", "hostes=3"], "did you mean hosts"),
    ],
)
def test_a_mistyped_word_is_suggested(arguments, said):
    result = given(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "--help' for help" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["graph", "{lake}", "--port", "70000"],
        ["graph", "{lake}", "--protocol", "tpc"],
        ["graph", "{lake}", "--window", "yesterday"],
        ["graph", "{lake}", "--window", "2026-01-06..2026-01-05"],
        ["graph", "{lake}", "--diff", "..", "--factor", "0.5"],
        ["talkers", "{lake}", "--by", "colour"],
        ["whois", "{lake}", "10.0.0.1.2"],
        ["whois", "{lake}", "10.0.0.1", "--at", "noon"],
        ["whois", "{lake}", "10.0.0.1", "--port", "80"],
        ["explain", "{lake}"],
        ["explain", "{lake}", "--flow", "one"],
        ["agility", "stale", "{lake}", "--bucket", "long"],
        ["agility", "plan", "--names", "{lake}/lake.json", "--address", "x", "--attacked", "y", "--out", "plan.json"],
        ["evaluate", "--attributed", "{lake}", "--truth", "truth.parquet", "--hold-back", "long"],
        ["simulate", "--set", "hostes=3", "--out", "fleet"],
        ["simulate"],
        ["inspect", "{lake}", "--input-format", "zeke"],
        ["replay", "--flows", "{lake}", "--out", "never", "--input-format", "zeke"],
        ["replay", "--flows", "{lake}", "--out", "never", "--max-gap", "soon"],
        ["replay", "--flows", "{lake}", "--out", "never", "--network", "a,b"],
    ],
)
def test_a_value_that_cannot_be_read_is_a_wrong_command(lake, arguments):
    result = given(*(argument.format(lake=lake) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert f"Try 'attribution {arguments[0]}" in result.output
    assert "Error: " in result.output


def test_a_wrong_command_is_said_in_four_lines():
    done = subprocess.run([sys.executable, "-m", "attribution", "grpah"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "Usage: python -m attribution [OPTIONS] COMMAND [ARGS]...",
        "Try 'python -m attribution --help' for help.",
        "",
        "Error: no such command 'grpah': did you mean graph?",
    ]


@pytest.mark.parametrize("group", [[], ["agility"], ["lab"], ["topics"]])
def test_a_group_without_a_verb_says_its_help_line_by_line(group):
    done = subprocess.run([sys.executable, "-m", "attribution", *group], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0] == " ".join(["Usage: python -m attribution", *group, "[OPTIONS] COMMAND [ARGS]..."])
    assert "Commands:" in lines
    assert "Error: " not in done.stderr
