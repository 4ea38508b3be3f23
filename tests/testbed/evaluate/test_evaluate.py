"""The evaluation: a lake made of the truth itself, with known mistakes put in."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from truth_lake import lake_of, perfect

from attribution.errors import LakeError, SourceError
from attribution.testbed.evaluate.alignment import align, aligned
from attribution.testbed.evaluate.evaluate import evaluate
from attribution.testbed.evaluate.outcomes import OURS
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import IDENTITY, TRUTH
from attribution.testbed.fleet.write import write

FLEET = ("workload", "port_owner")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("simulation") / "fleet"
    write(simulate(scenario("small", ("connections=3000",)), seed=4), made)
    return made


@pytest.fixture(scope="module")
def truth(folder):
    return pq.read_table(folder / "truth.parquet")


def changed(rows, at, **values):
    """The rows, with other values in the rows `at`."""
    mask = np.isin(np.arange(rows.num_rows), at)
    for name, value in values.items():
        column = rows.column(name)
        new = pc.if_else(pa.array(mask), pa.scalar(value, column.type), column)
        rows = rows.set_column(rows.column_names.index(name), name, new)
    return rows


def fleet_rows(truth):
    return np.flatnonzero(pc.is_in(truth.column("remote_kind"), pa.array(FLEET)).to_numpy())


def test_the_truth_itself_is_right_about_everything(folder, truth, tmp_path):
    result = evaluate(lake_of(perfect(truth), tmp_path), folder / "truth.parquet")
    ours = result.systems()[0]
    count = len(fleet_rows(truth))
    assert (ours["flows"], ours["correct"], ours["misattributed"], ours["unattributed"]) == (count, count, 0, 0)
    assert ours["edges_true"] == ours["edges_claimed"] > 50
    assert (ours["edges_false"], ours["edges_missing"]) == (0, 0)
    assert (result.flows, result.lost, result.repeated, result.foreign) == (truth.num_rows, 0, 0, 0)
    assert result.sound
    assert result.coverage == 1.0
    assert result.to_dict()["systems"] == [ours]
    unlabelled = [row for row in result.kinds() if row["kind"] == "unlabelled"]
    assert [(row["correct"], row["misattributed"]) for row in unlabelled] == [(0, 0)]


def test_wrong_and_missing_answers_are_counted_where_they_are(folder, truth, tmp_path):
    fleet = fleet_rows(truth)
    victim = truth.column("remote_service")[int(fleet[0])].as_py()
    same = [i for i in fleet.tolist() if truth.column("remote_service")[i].as_py() == victim]
    rows = changed(perfect(truth), same[:3], remote_workload="intruder-0.0", remote_service="intruder")
    rows = changed(
        rows, same[3:5], remote_workload=None, remote_service=None, remote_method="none", remote_reason="gap"
    )
    rows = changed(rows, same[5:6], local_workload="someone-else")
    result = evaluate(lake_of(rows, tmp_path), folder / "truth.parquet")
    ours = result.systems()[0]
    assert (ours["misattributed"], ours["unattributed"], ours["misattributed_local"]) == (3, 2, 1)
    assert ours["correct"] == len(fleet) - 5
    assert result.misattributed == 4
    assert not result.sound
    (service,) = [row for row in result.by_service() if row["service"] == victim]
    assert service["systems"][OURS] == {"correct": len(same) - 5, "misattributed": 3, "unattributed": 2}
    assert ours["edges_false"] == len({truth.column("local_service")[i].as_py() for i in same[:3]})
    reasons = {(row["side"], row["reason"], row["outcome"]): row["flows"] for row in result.by_reason()}
    assert reasons["remote", "gap", "unattributed"] == 2
    assert reasons["remote", "covered", "misattributed"] == 3
    assert reasons["local", "reported", "misattributed"] == 1


def test_an_endpoint_outside_that_is_named_as_a_workload_is_misattributed(folder, truth, tmp_path):
    kind = truth.column("remote_kind").to_pylist()
    partner, nobody, balancer = (kind.index(k) for k in ("labelled", "unlabelled", "load_balancer"))
    rows = changed(perfect(truth), [partner, nobody], remote_workload="cart-0.0")
    rows = changed(rows, [balancer], remote_service="partner-1", remote_workload=None)
    result = evaluate(lake_of(rows, tmp_path), folder / "truth.parquet")
    ours = result.systems()[0]
    assert (ours["misattributed"], ours["misattributed_outside"]) == (0, 3)
    assert result.misattributed == 3


def test_a_right_workload_with_a_wrong_service_is_misattributed_and_with_none_is_right(folder, truth, tmp_path):
    fleet = fleet_rows(truth)
    rows = changed(perfect(truth), [int(fleet[0])], remote_service="other")
    rows = changed(rows, [int(fleet[1])], remote_service=None)
    ours = evaluate(lake_of(rows, tmp_path), folder / "truth.parquet").systems()[0]
    assert (ours["misattributed"], ours["correct"]) == (1, len(fleet) - 1)


def test_lost_repeated_and_foreign_flows_are_counted(folder, truth, tmp_path):
    rows = perfect(truth)
    foreign = changed(rows.slice(0, 2), [0, 1], observer="nobody")
    rows = pa.concat_tables([rows.slice(5), rows.slice(10, 3), rows.slice(10, 1), foreign])
    result = evaluate(lake_of(rows, tmp_path), folder / "truth.parquet")
    assert (result.lost, result.repeated, result.foreign) == (5, 4, 2)
    assert result.flows == truth.num_rows
    assert not result.sound
    assert sum(row["flows"] for row in result.by_reason() if row["reason"] == "lost" and row["side"] == "local") == 5


def test_a_lake_of_other_flows_is_not_judged(folder, truth, tmp_path):
    others = changed(perfect(truth), range(truth.num_rows), observer="nobody")
    with pytest.raises(SourceError, match=rf"none of the {truth.num_rows:,} flows of the truth is among its"):
        evaluate(lake_of(others, tmp_path), folder / "truth.parquet")


def test_slices_of_any_size_give_the_same_result(truth, tmp_path):
    rows = perfect(truth)
    shuffled = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    lake = lake_of(shuffled, tmp_path / "lake", rows_per_file=500)
    small_groups = tmp_path / "truth.parquet"
    pq.write_table(truth, small_groups, row_group_size=300)
    slices = list(aligned(lake, small_groups, slice_rows=1000))
    assert len(slices) > 3
    assert sum(part.truth.num_rows for part in slices) == truth.num_rows
    assert [part.lost + part.repeated + part.foreign for part in slices] == [0] * len(slices)
    for part in slices:
        assert part.answers.column("remote_workload").equals(part.truth.column("remote_workload"))


def test_times_ports_and_observers_that_are_null_still_join():
    identity = {field.name: pa.nulls(2, field.type) for field in TRUTH if field.name in IDENTITY}
    identity |= {
        "start": pa.array([1, 1], pa.int64()).cast(TRUTH.field("start").type),
        "end": pa.array([2, 2], pa.int64()).cast(TRUTH.field("end").type),
        "local_address": pa.array(["10.0.0.1", "10.0.0.2"]),
        "remote_address": pa.array(["10.0.0.3", "10.0.0.3"]),
    }
    names = [f"{side}_{what}" for side in ("local", "remote") for what in ("workload", "service", "method", "reason")]
    answers = {name: pa.array(["a", "b"]) for name in names}
    part = align(pa.table(identity), pa.table(identity | answers).take(pa.array([1, 0])))
    assert (part.lost, part.repeated, part.foreign) == (0, 0, 0)
    assert part.answers.column("remote_workload").to_pylist() == ["a", "b"]


def test_baselines_stand_beside_ours_on_the_same_flows(folder, truth, tmp_path):
    lake = lake_of(perfect(truth), tmp_path)
    result = evaluate(lake, folder / "truth.parquet", folder / "workload_events.parquet")
    ours, latest, held_back = result.systems()
    assert [ours["system"], latest["system"], held_back["system"]] == [OURS, "latest event", "held-back events"]
    assert ours["flows"] == latest["flows"] == held_back["flows"]
    assert ours["correct"] > held_back["correct"] > latest["correct"]
    # What was seen at capture is nobody's guess.
    assert latest["misattributed_local"] == 0
    (gateway,) = [row for row in result.by_client() if row["client"] == "gateway"]
    assert gateway["systems"][OURS]["edges_false"] == 0
    assert gateway["systems"]["latest event"]["edges_claimed"] > 0


@pytest.mark.parametrize(
    ("attributed", "truth_file", "events", "error", "message"),
    [
        ("nowhere", "truth.parquet", None, LakeError, "holds no attributed_flows"),
        ("lake", "nowhere.parquet", None, SourceError, "cannot read the truth"),
        ("lake", "heartbeats.parquet", None, SourceError, "no column 'start'|no column 'local_address'"),
        ("lake", "scenario.json", None, SourceError, "cannot read the truth"),
        ("lake", "truth.parquet", "scenario.json", SourceError, "cannot read the events"),
    ],
)
def test_input_that_cannot_be_evaluated_is_named(
    folder, truth, tmp_path, attributed, truth_file, events, error, message
):
    lake_of(perfect(truth.slice(0, 10)), tmp_path / "lake")
    with pytest.raises(error, match=message):
        evaluate(tmp_path / attributed, folder / truth_file, folder / events if events else None)


def test_a_truth_that_names_a_flow_twice_is_refused(truth, tmp_path):
    twice = tmp_path / "truth.parquet"
    pq.write_table(pa.concat_tables([truth, truth.slice(0, 1)]), twice)
    with pytest.raises(SourceError, match="one flow twice"):
        evaluate(lake_of(perfect(truth), tmp_path / "lake"), twice)
