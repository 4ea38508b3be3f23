"""Answers on a real terminal, and the times of questions: relative, and in a zone."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from attribution.cli import cli
from attribution.cli.render.next_commands import next_commands
from attribution.cli.render.tables import lay_out

DAY = "2026-01-05"


def given(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="attribution")


def on_terminal(width, *arguments):
    """The lines that a command writes to a terminal that is so wide, without colours."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-m", "attribution", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL, env=environment | {"TERM": "xterm"}
    ):
        os.close(terminal)
        written = b""
        # Linux answers the end of a terminal that nobody holds open any more with an error.
        while chunk := _read(master):
            written += chunk
    os.close(master)
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).split("\r\n")


def _read(master):
    try:
        return os.read(master, 1 << 16)
    except OSError:
        return b""


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_wraps_on_a_terminal(lake, width):
    lines = on_terminal(width, "explain", lake, "--edge", "web", "api")
    assert any("Examples" in line for line in lines)
    assert max(map(cell_len, lines)) <= width


def test_a_narrow_terminal_says_which_columns_are_left_out(lake):
    text = " ".join(" ".join(on_terminal(40, "graph", lake)).split())
    assert "left out at this width: ports, bytes_out, bytes_back" in text
    assert "(--columns chooses, --format json or csv has all)" in text
    chosen = on_terminal(40, "graph", lake, "--columns", "source,bytes_out")
    assert ["web", "5.2", "kB"] in [line.split() for line in chosen]


@pytest.mark.parametrize(
    "window", [["--window", "-1h"], ["--window", "-1h.."], ["--since", "-1h"], ["--since", "-1h", "--until", "now"]]
)
def test_an_hour_is_the_last_one_of_the_lake_and_said(lake, window):
    text = given("graph", lake, *window).output
    assert text.startswith(f"window -1h{'' if window[1:] == ['-1h'] and window[0] == '--window' else '..'}")
    assert f": from {DAY} 12:59:59 " in text
    assert f"(the last flow starts at {DAY} 13:59:59)" in text
    assert "4 nodes, 4 edges, 4 flows" in text


def test_now_is_by_the_clock(lake):
    assert "No flows in this window" in given("graph", lake, "--since", "now-1h").output
    assert given("graph", lake, "--since", "nowadays").exit_code == 2


def test_a_window_outside_of_the_lake_says_when_its_flows_are(lake):
    result = given("talkers", lake, "--since", "2026-02-01", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert (
        "the flows of the lake start in 2026-01-05T12:00:10Z..2026-01-05T13:59:59.000001Z, and none in" in result.stderr
    )


def test_commands_are_never_broken_by_the_terminal():
    command = next_commands([["attribution", "talkers", "l" * 40, "--by", "address"]])
    assert [line.text for line in lay_out([command], 20)] == command.split("\n")


def test_inspect_shows_times_in_the_zone(tmp_path):
    path = tmp_path / "flows.jsonl"
    row = {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    path.write_text(json.dumps(row | {"start": f"{DAY}T12:00:00Z", "end": f"{DAY}T12:00:01Z"}) + "\n")
    assert (
        f"from {DAY} 13:00:00 to {DAY} 13:00:01 Europe/Berlin" in given("inspect", path, "--tz", "Europe/Berlin").output
    )


def test_a_window_is_said_once(lake):
    result = given("graph", lake, "--window", "-1h", "--since", "-2h")
    assert result.exit_code == 2
    assert "leave out --since and --until" in result.output


def test_a_zone_is_that_of_times_that_are_read_and_shown(lake):
    shown = given("graph", lake, "--tz", "Europe/Berlin", "--since", f"{DAY}T14:59").output
    assert f"{DAY} 14:59:59 to {DAY} 15:00:01 Europe/Berlin" in shown
    said = given("whois", lake, "10.0.0.99", "--at", f"{DAY}T13:23", "--tz", "Europe/Berlin").output
    assert f"10.0.0.99 at {DAY} 13:23:00 Europe/Berlin: new (new-1)" in said
    assert "01-05 13:22:30 to 14:00:00" in said
    machine = given("talkers", lake, "--tz", "Europe/Berlin", "--format", "csv").output
    assert f"{DAY}T12:00:10Z" in machine


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tz", "berlin"], "there is no time zone 'berlin'; did you mean Europe/Berlin?"),
        (["--tz", "Europe/Berln"], "did you mean Europe/Berlin"),
        (["--tz", "../../etc/passwd"], "there is no time zone"),
        (["--tz", "Europe/Berlin", "--since", "2026-03-29T02:30"], "clocks are set forward over it"),
        (["--tz", "Europe/Berlin", "--since", "2026-10-25T02:30"], "write 2026-10-25T02:30:00+02:00 or "),
    ],
)
def test_zones_and_times_that_there_are_not_are_refused(lake, arguments, said):
    result = given("graph", lake, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_the_local_zone_is_that_of_the_machine(lake, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert f"{DAY} 17:30:10 to {DAY} 19:30:01 Asia/Kolkata" in given("graph", lake, "--tz", "local").output
