"""Standard streams that are full, closed or left, and signals: no traceback, and the exit status tells of the work."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
FLOW = {
    "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z", "local_address": "10.0.0.1",
    "local_port": 4000, "remote_address": "10.0.0.2", "remote_port": 80, "protocol": 6, "basis": "connection",
}  # fmt: skip


def shell(command, *arguments, folder=None):
    """A command line of bash, in which `attribution` is the command; status of its first part, output, errors."""
    script = f'attribution() {{ "{sys.executable}" -m attribution "$@"; }}; {command}; exit ${{PIPESTATUS[0]}}'
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, env=environment, check=False, errors="backslashreplace",
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def logs(tmp_path):
    path = tmp_path / "flows.jsonl"
    path.write_text(json.dumps(FLOW) + "\n")
    return path


@needs_full
def test_an_answer_that_cannot_be_written_is_none(lake):
    status, _, errors = shell('attribution graph "$1" > /dev/full', lake)
    assert (status, "No space left on device" in errors) == (1, True)
    status, _, errors = shell('attribution graph "$1" --format json -o /dev/stdout > /dev/full', lake)
    assert (status, "No space left on device" in errors) == (1, True)
    status, _, errors = shell("attribution --help > /dev/full")
    assert (status, "No space left on device" in errors) == (1, True)


def test_an_answer_to_a_closed_output_is_none(lake):
    status, _, errors = shell('attribution graph "$1" >&-', lake)
    assert (status, "it is closed" in errors) == (1, True)
    assert shell('attribution graph "$1" -o /dev/stdout >&-', lake)[0] == 1


@pytest.mark.parametrize("stream", [pytest.param("> /dev/full", marks=needs_full), ">&-"])
def test_a_summary_that_cannot_be_written_leaves_the_status_of_the_work(tmp_path, logs, stream):
    lake = tmp_path / "lake"
    status, _, errors = shell(f'attribution replay --flows "$1" --out "$2" {stream}', logs, lake)
    assert (status, (lake / "lake.json").is_file()) == (0, True)
    assert "the work is done, but cannot write to standard output" in errors
    logs.write_text(logs.read_text() + "{}\n")
    command = f'attribution replay --flows "$1" --out "$2" --max-rejected-share 1 --format json {stream}'
    assert shell(command, logs, lake)[0] == 3


@pytest.mark.parametrize("verb", ["graph", "talkers --by workload --format json", "graph -o /dev/stdout"])
def test_a_reader_that_leaves_has_all_that_it_wants(lake, verb):
    name, _, options = verb.partition(" ")
    assert shell(f'attribution {name} "$1" {options} | true', lake) == (0, "", "")
    assert shell(f"attribution {name} --help | true") == (0, "", "")


def test_a_closed_input_is_said(tmp_path):
    status, _, errors = shell('attribution replay --flows - --out "$1" <&-', tmp_path / "lake")
    assert (status, "cannot read standard input: it is closed" in errors) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_closed_errors_are_no_error(lake):
    status, output, _ = shell('attribution graph "$1" --format json 2>&-', lake)
    assert status == 0
    assert json.loads(output)
    assert shell("attribution graph /no/such/lake 2>&-")[0] == 1


@pytest.mark.parametrize("verb", ["graph {} -o", "replay --flows {} --out", "agility plan --names {} --out"])
@pytest.mark.parametrize("path", ["s3://bucket/lake", "gs://b/x", "hdfs://h:1/x", "abfs://c@a/x", "file:///tmp/x", ""])
def test_a_url_is_no_path(verb, path):
    given = verb.format("given").split()
    status, _, errors = shell('attribution "$@"', *given, path)
    assert status == 2
    assert ("is a URL" if path else "a path is empty") in errors
    assert not Path(path.partition("//")[0] or "never").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["graph"], ["talkers"], ["whois"], ["inspect"], ["agility", "load"],
        ["evaluate", "--truth", "t", "--attributed"],
        ["replay", "--out", "lake", "--flows"], ["replay", "--out", "lake", "--flows", "x", "--heartbeats"],
    ],
)  # fmt: skip
def test_a_url_is_no_input(arguments):
    more = ["10.0.0.1"] if arguments == ["whois"] else []
    status, _, errors = shell('attribution "$@"', *arguments, "s3://bucket/x", *more)
    assert (status, "'s3://bucket/x' is a URL" in errors) == (2, True)


@pytest.mark.parametrize("name", ["C:drive", "12:30", "a:b", "s3:"])
def test_a_colon_alone_makes_no_url(tmp_path, logs, name):
    assert shell('attribution replay --flows "$1" --out "$2"', logs, name, folder=tmp_path)[0] == 0
    assert (tmp_path / name / "lake.json").is_file()


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nattribution: all is well", "a\x9bb", "a\u202eb", "a\rb", b"a\xffb"])
def test_no_name_steers_the_terminal(tmp_path, name):
    text = os.fsdecode(name) if isinstance(name, bytes) else name
    (tmp_path / text).write_bytes(b"\x00\x01 no log at all\n" * 3)
    wrong = (
        ["graph", text], ["replay", "--flows", f"{text}x", "--out", "l"], ["inspect", text],
        ["replay", "--flows", text, "--out", "l"], ["graph", text, f"--{text}"], [text],
        ["replay", "--flows", "x", "--out", "l", "--config", text],
    )  # fmt: skip
    for arguments in wrong:
        status, output, errors = shell('attribution "$@"', *arguments, folder=tmp_path)
        assert status in (1, 2, 3)
        assert all(character.isprintable() or character == "\n" for character in output + errors), arguments
        assert not (output + errors).startswith("attribution: all is well")
        assert "\nattribution: all is well" not in output + errors


def stopped(arguments, number, ready, folder):
    """Run a verb, send a signal once it is ready; the status, how long the end took in seconds, and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "attribution", *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - began, errors


@pytest.fixture(autouse=True)
def _signals_that_are_heard():
    """A process that `nohup`, or a shell in the background, started ignores signals, and so do those that it starts."""
    given = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in given.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["int", "term", "hup"],
)
def test_a_signal_ends_a_run_at_once_and_leaves_nothing(tmp_path, number, status):
    def reads():
        return any(tmp_path.glob(".lake.*.partial"))

    arguments = ["replay", "--flows", "-", "--out", "lake"]  # nothing comes: it waits for its input
    found, seconds, errors = stopped(arguments, number, reads, tmp_path)
    assert (found, list(tmp_path.iterdir())) == (status, [])
    assert errors.strip() == "attribution: stopped"
    assert seconds < 5


def test_a_signal_ends_threads_that_are_at_work(tmp_path):
    code = """
import sys, threading, time
from pathlib import Path
from attribution import cli
from attribution.replay import attribute

def write(self, attributed, routes):
    Path(sys.argv[-1]).touch()
    time.sleep(60)

attribute._FlowsOut.write = write
cli.main()
"""
    (tmp_path / "flows.jsonl").write_text(json.dumps(FLOW) + "\n")
    process = subprocess.Popen(
        [sys.executable, "-c", code, "replay", "--flows", "flows.jsonl", "--out", "lake", "--flows", "working"],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    (tmp_path / "working").write_text(json.dumps(FLOW | {"local_port": 5000}) + "\n")
    before = (tmp_path / "working").stat().st_mtime_ns
    while (tmp_path / "working").stat().st_mtime_ns == before:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=60)
    assert (process.returncode, sorted(path.name for path in tmp_path.iterdir())) == (130, ["flows.jsonl", "working"])
    assert time.monotonic() - began < 5


def test_a_signal_that_is_ignored_stays_so(tmp_path, logs):
    command = (
        'trap "" HUP; attribution replay --flows <(sleep 1; cat "$1") --out lake & sleep 0.7; kill -HUP $!; wait $!'
    )
    assert shell(command, logs, folder=tmp_path)[0] == 0
