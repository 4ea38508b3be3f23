"""Times of requests that a person gives to inputs: whom they are given to, what takes them, and what is none."""

import re

import pytest
from click.testing import CliRunner
from pods import at, listed, pod

from attribution.cli import cli
from attribution.config import Settings
from attribution.errors import ConfigError
from attribution.schema import FLOW, HEARTBEAT
from attribution.sources import Ledger, read
from attribution.sources.inputs import Inputs
from attribution.stream.publish.publish import _read

NOON, ONE = "2024-05-01T12:00:00Z", "2024-05-01T15:00:00+02:00"
OWN = at("10:00:20")


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """Two folders, each with a list of one pod that is the same in both."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pods.json").write_text(listed(pod()))
    return tmp_path


def ends(inputs, given_as=HEARTBEAT, ledger=None):
    """Where the heartbeats of each source end, microseconds."""
    found = {}
    seen_at = inputs.seen_at_of(given_as)
    for batch in read(inputs.of(given_as), ledger=ledger or Ledger(), seen_at=seen_at):
        found.setdefault(batch.source, []).extend(batch.batch.column("end").cast("int64").to_pylist())
    return found


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("given", "a", "b"),
    [
        ([f"{NOON}"], "12:00:00", None),
        ([f"heartbeats={NOON}"], "12:00:00", None),
        ([f"a={NOON}", f"b={ONE}"], "12:00:00", "13:00:00"),
        ([f"heartbeats={ONE}", f"a/*.json={NOON}"], "12:00:00", "13:00:00"),
        ([f"{NOON}", f"{ONE}".replace("15:", "14:"), f"b={ONE}"], None, None),
        ([f"b/pods.json={ONE}"], "10:00:20", "13:00:00"),
    ],
)
def test_a_time_is_for_all_for_a_kind_or_for_a_path(given, a, b):
    inputs = Inputs(heartbeats=["a", "b"], seen_at=given)
    if a is None:
        with pytest.raises(ConfigError, match="the same input was given the time"):
            inputs.seen_at_of(HEARTBEAT)
        return
    # A list that was seen twice at one time is one list.
    expected = {"a/pods.json": [at(a)]} | ({"b/pods.json": [at(b)]} if b else {})
    assert ends(inputs) == expected


@pytest.mark.usefixtures("folder")
def test_without_a_time_the_same_list_is_read_once_and_proves_what_its_pods_say():
    ledger = Ledger()
    assert ends(Inputs(heartbeats=["a", "b"]), ledger=ledger) == {"a/pods.json": [OWN]}
    assert ledger.same_files == [("b/pods.json", "a/pods.json")]


@pytest.mark.usefixtures("folder")
def test_a_time_of_a_kind_is_for_what_is_given_as_that_kind():
    inputs = Inputs(flows=["a"], heartbeats=["b"], seen_at=[f"heartbeats={NOON}"])
    assert ends(inputs, FLOW) == {"a/pods.json": [OWN]}
    assert ends(inputs) == {"b/pods.json": [at("12:00:00")]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a=", "'' is no time with its zone"),
        ("noon", "'noon' is no time with its zone"),
        ("2024-05-01T12:00:00", "'2024-05-01T12:00:00' is no time with its zone"),
        ("1714564800", "'1714564800' is no time with its zone"),
        (f"flows={NOON}", "there are no inputs of --flows; for what stands among other inputs give"),
        (f"c={NOON}", "c is no file, folder or pattern of an input"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_names_no_input_or_no_time_is_refused(given, message):
    with pytest.raises(ConfigError, match=re.escape(f"--seen-at {given}: ") + f".*{re.escape(message)}"):
        Inputs(heartbeats=["a", "b"], seen_at=[given]).seen_at_of(HEARTBEAT)
    with pytest.raises(TypeError, match="takes a list of texts as seen_at"):
        Inputs(heartbeats=["a"], seen_at=given)


@pytest.mark.usefixtures("folder")
def test_what_is_published_was_seen_at_the_time_that_was_given():
    inputs = Inputs(heartbeats=["a", "b"], seen_at=[f"a={NOON}", f"b={ONE}"])
    parts = _read(inputs, Settings(), Ledger(), flows_are_heartbeats=True)
    found = [end for part in parts for end in part.rows.column("end").cast("int64").to_pylist()]
    assert found == [at("12:00:00"), at("13:00:00")]


def test_the_option_is_the_command_lines(folder):
    flow = '{"start": "2024-05-01T11:59:00Z", "end": "2024-05-01T11:59:01Z", "local_address": "10.9.0.1", '
    (folder / "flows.jsonl").write_text(flow + '"remote_address": "10.1.0.7", "basis": "connection"}\n')
    call = ["replay", "--flows", "flows.jsonl", "--heartbeats", "a", "--out"]
    without = CliRunner().invoke(cli, [*call, "without"])
    given = CliRunner().invoke(cli, [*call, "given", "--seen-at", f"heartbeats={NOON}"])
    assert (without.exit_code, given.exit_code) == (0, 0)
    assert ("remote 0.0%" in without.output, "remote 100.0%" in given.output) == (True, True)
    wrong = CliRunner().invoke(cli, [*call, "wrong", "--seen-at", "heartbeats=noon"])
    assert wrong.exit_code == 2
    assert "give one as [KIND=|PATH=]TIME" in wrong.stderr
