"""The evaluation of names: answers made of the truth itself with known mistakes put in, and the baselines."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from named_worlds import attributed, judged, world

from attribution.schema import NAME_BINDING, arrow_schema
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.evaluate import evaluate_slices
from attribution.testbed.evaluate.name_baselines import LAST_NAME, LAST_NAME_TOLD, NameLog
from attribution.testbed.evaluate.outcomes import OURS

SIDES = ("local", "remote")


@pytest.fixture(scope="module")
def simulation():
    return world("requests=2000")


@pytest.fixture(scope="module")
def answers(simulation):
    return attributed(simulation)


def changed(table, rows, **values):
    for name, value in values.items():
        column = table.column(name)
        mask = pa.array(np.isin(np.arange(table.num_rows), rows))
        table = table.set_column(
            table.column_names.index(name), name, pc.if_else(mask, pa.scalar(value, column.type), column)
        )
    return table


def rows_with(table, **values):
    mask = np.ones(table.num_rows, bool)
    for name, value in values.items():
        column = table.column(name)
        mask &= np.asarray(column.is_null() if value is None else pc.fill_null(pc.equal(column, value), False))
    return np.flatnonzero(mask)


def test_wrong_names_are_found_on_either_side_of_a_flow(simulation, answers):
    told = rows_with(answers, hostname_reason="told")
    local, remote = (told[np.isin(told, np.flatnonzero(answers.column(f"{s}_hostname").is_valid()))] for s in SIDES)
    wrong = changed(answers, local[:3], local_hostname="other.example")
    wrong = changed(wrong, remote[:2], remote_hostname="other.example")
    result = judged(simulation, wrong)
    assert result.names.wrong == 5
    assert sum(n for key, n in result.names.evidence.items() if key[::2] == ("told", "wrong")) == 5
    assert not result.sound


def test_a_right_name_on_the_wrong_side_is_wrong(simulation, answers):
    row = rows_with(answers, hostname_reason="told", remote_hostname=None)[0]
    name = answers.column("local_hostname")[row].as_py()
    swapped = changed(answers, [row], local_hostname=None, remote_hostname=name)
    assert judged(simulation, swapped).names.wrong == 1


def test_candidates_that_lack_the_truth_are_counted_apart(simulation, answers):
    known = np.flatnonzero(simulation.truth_table().column("answers_known"))
    several = np.intersect1d(rows_with(answers, hostname_reason="several"), known)
    listed = [row for row in several if answers.column("hostname_candidates")[int(row)].is_valid]
    names = judged(simulation, changed(answers, listed[:4], hostname_candidates="a.example b.example")).names
    assert (names.wrong, names.without_truth) == (0, 4)
    assert not names.sound


def test_a_policy_that_the_truth_does_not_have_is_wrong(simulation, answers):
    row = rows_with(answers, local_policy="default")[0]
    assert judged(simulation, changed(answers, [row], local_policy="enterprise")).names.wrong_policies == 1
    assert judged(simulation, changed(answers, [row], local_policy_state="ended")).names.wrong_policies == 1
    assert judged(simulation, changed(answers, [row], local_policy="default,enterprise")).names.wrong_policies == 0


def test_the_result_says_what_each_system_got_wrong(simulation, answers):
    result = judged(simulation, answers)
    everything = result.to_dict()["names"]
    assert [row["system"] for row in everything["systems"]] == [OURS, LAST_NAME, LAST_NAME_TOLD]
    for row in everything["systems"]:
        assert row["correct"] + row["wrong"] + row["not_named"] == row["flows"]
    assert everything["coverage"] == pytest.approx(everything["systems"][0]["correct_share"])
    assert sum(row["flows"] for row in everything["evidence"]) == everything["flows"] == result.flows
    assert sum(row["flows"] for row in everything["policies"]) == result.flows


def test_without_answers_there_are_no_baselines(simulation, answers):
    result = evaluate_slices([align(simulation.truth_table(), answers)], log=None, variants=())
    assert [row["system"] for row in result.names.systems()] == [OURS]


def bindings(*rows):
    names = ("client_address", "client_prefix", "server_address", "hostname", "time")
    table = [dict(zip(names, row, strict=True)) for row in rows]
    schema = arrow_schema(NAME_BINDING)
    return pa.table([pa.array([row.get(f.name) for row in table], f.type) for f in schema], schema=schema)


LOG = bindings(
    ("10.0.0.1", None, "198.18.0.1", "a.example", 10),
    ("10.0.0.53", None, "198.18.0.1", "b.example", 20),
    ("10.0.0.54", "10.2.0.0/16", "198.18.0.1", "c.example", 30),
    ("10.0.0.1", None, "198.18.0.2", "d.example", 40),
)


@pytest.mark.parametrize(("moment", "name"), [(9, None), (10, "a.example"), (29, "b.example"), (99, "c.example")])
def test_the_last_name_seen_for_an_address_is_anybodys(moment, name):
    said = NameLog(LOG).last_for_address(pa.array(["198.18.0.1", "198.18.0.9"]), np.array([moment, moment]))
    assert said.to_pylist() == [name, None]


@pytest.mark.parametrize(
    ("client", "moment", "name"),
    [
        ("10.0.0.1", 99, "a.example"),
        ("10.0.0.1", 9, None),
        ("10.1.0.7", 99, "b.example"),
        ("10.2.0.7", 99, "c.example"),
        ("10.2.0.7", 25, None),
        ("10.0.0.53", 99, "b.example"),
        ("10.3.0.1", 99, None),
        ("fd00::1", 99, None),
    ],
)
def test_the_last_name_told_to_a_client_is_its_own_its_resolvers_or_its_networks(client, moment, name):
    log = NameLog(LOG, (("10.0.0.53", "10.1.0.0/16"),))
    said = log.last_for_client(pa.array([client]), pa.array(["198.18.0.1"]), np.array([moment]))
    assert said.to_pylist() == [name]


def test_an_empty_log_names_nobody():
    log = NameLog(LOG.slice(0, 0))
    where, when = pa.array(["198.18.0.1"]), np.array([5])
    assert log.last_for_address(where, when).to_pylist() == [None]
    assert log.last_for_client(where, where, when).to_pylist() == [None]
