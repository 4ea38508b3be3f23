"""The promise from file to file: simulate, replay, evaluate."""

import pytest

from attribution.replay import Inputs, replay
from attribution.testbed.evaluate.evaluate import evaluate
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import EVENTS_FILE, FLOW_FILES, TRUTH_FILE, write


def through_files(chosen, seed, folder, flow_format="parquet"):
    """The evaluation of a replayed simulation, and the summary of the replay."""
    fleet, lake = folder / "fleet", folder / "lake"
    write(simulate(chosen, seed=seed), fleet, flow_format=flow_format)
    inputs = Inputs(
        flows=[fleet / FLOW_FILES[flow_format]],
        heartbeats=[fleet / "heartbeats.parquet"],
        assignments=[fleet / "assignments.parquet"],
        name_bindings=[fleet / "name_bindings.parquet"],
        labels=[fleet / "labels.parquet"],
    )
    summary = replay(inputs, lake)
    assert summary.rejected == 0
    return evaluate(lake, fleet / TRUTH_FILE, fleet / EVENTS_FILE)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_hostile_fleet_is_never_misattributed(seed, tmp_path):
    result = through_files(scenario("hostile", ("connections=4000",)), seed, tmp_path)
    assert result.flows > 4000
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert result.coverage > 0.3


def test_a_fleet_without_loss_is_attributed_nearly_whole(tmp_path):
    result = through_files(scenario("lossless", ("connections=5000",)), 1, tmp_path)
    assert result.sound
    assert result.coverage >= 0.99


def test_text_gives_the_same_answers_as_parquet(tmp_path):
    chosen = scenario("small", ("connections=2000",))
    parquet = through_files(chosen, 2, tmp_path / "parquet")
    text = through_files(chosen, 2, tmp_path / "text", "jsonl")
    assert parquet.sound
    assert text.to_dict() == parquet.to_dict()


def test_vpc_flow_logs_are_attributed_on_both_sides_from_heartbeats_alone(tmp_path):
    chosen = scenario("small", ("connections=2000", "window_share=1", "capture_share=0", "long_window_share=0"))
    result = through_files(chosen, 2, tmp_path, "vpc")
    assert result.sound
    assert result.coverage > 0.5
    local = {row["reason"] for row in result.by_reason() if row["side"] == "local" and row["outcome"] == "correct"}
    assert local == {"bridged"}
