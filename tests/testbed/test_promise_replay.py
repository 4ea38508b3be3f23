"""The promise from file to file: simulate, replay, evaluate."""

import json

import pytest

from attribution.config import Settings
from attribution.replay import Limits
from attribution.testbed.evaluate.runners import through_core, through_replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate


def through_files(chosen, seed, folder, **options):
    """The evaluation of a replayed simulation, no row of which was rejected."""
    result = through_replay(simulate(chosen, seed=seed), Settings(), folder, **options)
    summary = summary_of(folder)
    assert summary["rejected"] == []
    return result


def summary_of(folder):
    return json.loads((folder / "lake" / "lake.json").read_text())["summary"]


@pytest.mark.parametrize("seed", [11, 12])
def test_a_hostile_fleet_is_never_misattributed(seed, tmp_path):
    result = through_files(scenario("hostile", ("connections=4000",)), seed, tmp_path)
    assert result.flows > 4000
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert result.coverage > 0.3


def test_a_history_that_does_not_fit_into_memory_gets_the_answers_of_one_that_does(tmp_path):
    chosen = scenario("hostile", ("connections=4000", "duration=3h"))
    result = through_files(chosen, 13, tmp_path, limits=Limits(evidence_rows=1000))
    assert summary_of(tmp_path)["slabs"] > 2
    assert result.sound
    assert result.reasons == through_core(simulate(chosen, seed=13), Settings()).reasons


def test_a_fleet_without_loss_is_attributed_nearly_whole(tmp_path):
    result = through_files(scenario("lossless", ("connections=5000",)), 1, tmp_path)
    assert result.sound
    assert result.coverage >= 0.99


def test_text_gives_the_same_answers_as_parquet(tmp_path):
    chosen = scenario("small", ("connections=2000",))
    parquet = through_files(chosen, 2, tmp_path / "parquet")
    text = through_files(chosen, 2, tmp_path / "text", flow_format="jsonl")
    assert parquet.sound
    assert text.to_dict() == parquet.to_dict()


def test_vpc_flow_logs_are_attributed_on_both_sides_from_heartbeats_alone(tmp_path):
    chosen = scenario("small", ("connections=2000", "window_share=1", "capture_share=0", "long_window_share=0"))
    result = through_files(chosen, 2, tmp_path, flow_format="vpc")
    assert result.sound
    assert result.coverage > 0.5
    local = {row["reason"] for row in result.by_reason() if row["side"] == "local" and row["outcome"] == "correct"}
    assert local == {"bridged"}
