"""The table of record kinds: whole, true to the schemas, and unchanged where states and topics depend on it."""

from pathlib import Path

import pytest

from attribution.records import BY_NAME, CONFIGURATION, EVIDENCE, INPUT_RECORDS, KINDS, TOLD_APART, Role
from attribution.schema import record
from attribution.sources.inputs import Inputs
from attribution.stream.topics import INPUT_TOPICS, OUTPUT_TOPICS

SCHEMAS = Path(__file__).parent.parent / "schemas"


def test_every_schema_has_a_row_in_the_table():
    assert sorted(BY_NAME) == sorted(path.stem for path in SCHEMAS.glob("*.avsc"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_fields_that_the_table_names_are_fields_of_the_record(kind):
    named = {*kind.told_by, *kind.hints, *filter(None, (kind.reported, kind.asked_by))}
    assert named <= set(record(kind.name).names)
    assert set(kind.also) <= set(INPUT_RECORDS)


def test_tags_in_the_state_of_a_job_stay_what_they_are():
    tags = {kind.name: kind.tag for kind in KINDS if kind.tag}
    assert tags == {
        "flow": b"f", "heartbeat": b"h", "assignment": b"a", "name_binding": b"n", "policy": b"p", "socket_rule": b"s",
    }  # fmt: skip


def test_topics_stay_what_they_are():
    assert INPUT_TOPICS == {
        "flow": "flows", "heartbeat": "heartbeats", "assignment": "assignments", "name_binding": "name-bindings",
        "policy": "policies", "socket_rule": "socket-rules",
    }  # fmt: skip
    assert OUTPUT_TOPICS == {
        "attributed_flow": "attributed-flows", "ownership_range": "ownership-ranges", "dead_letter": "dead-letters",
    }  # fmt: skip


def test_configuration_has_no_moment_of_report():
    assert CONFIGURATION == ("label", "policy", "socket_rule")
    assert {name for name in EVIDENCE if BY_NAME[name].reported is None} == set(CONFIGURATION)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.role is Role.INPUT], ids=lambda kind: kind.name)
def test_a_row_with_the_telling_fields_alone_is_of_its_kind(kind):
    found = next(one for one in TOLD_APART if set(one.told_by) <= set(kind.told_by))
    assert found is kind


def test_an_input_of_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(TypeError, match=r"takes flows, heartbeats, .* not flow_logs"):
        Inputs(flow_logs=["x"])


def test_rows_of_a_kind_that_a_run_does_not_take_are_skipped_not_used():
    inputs = Inputs(flows=["a"], policies=["b"], labels=["c"])
    assert inputs.sources(of=("flow", "policy")) == [
        ("flow", ("a",), ("flow", "policy")),
        ("label", ("c",), ()),
        ("policy", ("b",), ("policy",)),
    ]


@pytest.mark.parametrize("path", ["logs", Path("logs")])
def test_one_path_in_the_place_of_a_list_is_refused(path):
    with pytest.raises(TypeError, match="a list of paths as flows"):
        Inputs(flows=path)
