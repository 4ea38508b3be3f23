"""The check of a field follows from its type; fields of which more is asked must be of the type that this takes."""

import pyarrow as pa
import pytest

from attribution import schema
from attribution.errors import SchemaError
from attribution.records import INPUT_RECORDS, REGION_RECORDS
from attribution.sources.records import checks as module
from attribution.sources.records.checks import checks


@pytest.fixture
def checks_of(monkeypatch):
    """The checks of a record with these fields."""

    def checks_of(*fields):
        monkeypatch.setattr(module, "record", lambda _: schema.Record("thing", "A thing.", fields))
        return checks.__wrapped__("thing")

    return checks_of


@pytest.mark.parametrize("kind", [*INPUT_RECORDS, *REGION_RECORDS])
def test_every_field_has_a_check_that_makes_its_type(kind):
    found = checks(kind)
    assert list(found) == list(schema.record(kind).names)
    for field in schema.record(kind).fields:
        values = found[field.name](pa.array([], pa.string())).values
        text = pa.types.is_dictionary(values.type) and field.type == pa.string()
        assert text or values.type == field.type


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (schema.Field("port", pa.string(), nullable=True), "are whole numbers up to 65535, and it is string"),
        (
            schema.Field("bytes_sent", pa.int32(), nullable=True),
            "are whole numbers up to 1000000000000000000, and",
        ),
        (schema.Field("address", pa.int64(), nullable=True), "are string, and it is int64"),
        (schema.Field("ttl", pa.float32(), nullable=True), "are double, and it is float"),
        (schema.Field("direction", pa.bool_(), nullable=True), "are string, and it is bool"),
    ],
)
def test_a_field_with_a_name_of_which_more_is_asked_must_have_the_type_for_it(checks_of, field, found):
    with pytest.raises(SchemaError, match=rf"cannot use schemas/thing\.avsc, field {field.name}: .* {found}"):
        checks_of(field)


def test_a_wider_integer_may_take_the_place_of_a_narrow_one(checks_of):
    check = checks_of(schema.Field("port", pa.int64(), nullable=True))["port"]
    assert check(pa.array(["443"])).values.equals(pa.array([443], pa.int64()))
