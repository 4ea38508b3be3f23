"""SQL files and the objects that ask them."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import attribution.query
from attribution.query.lake.flows import FILTERED, OPENED, WINDOWED
from attribution.query.lake.query import Query

ROOT = Path(attribution.query.__file__).parent


def queries_in(value):
    if isinstance(value, Query):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from queries_in(one)


def declared():
    for module in pkgutil.walk_packages([str(ROOT)], "attribution.query."):
        for value in vars(importlib.import_module(module.name)).values():
            yield from queries_in(value)


def test_every_file_is_asked_by_one_query_and_every_query_has_its_file():
    folders = {query: Path(*query.package.split(".")[2:], "sql", f"{query.name}.sql") for query in set(declared())}
    assert len(set(folders.values())) == len(folders)
    assert set(folders.values()) == {path.relative_to(ROOT) for path in ROOT.rglob("*.sql")}


@pytest.mark.parametrize(
    "query", sorted(set(declared()), key=str), ids=lambda query: f"{query.package[18:]}.{query.name}"
)
def test_a_query_reads_what_it_says_that_it_stands_on(query):
    words = set(query._text.replace("(", " ").replace(")", " ").split())
    assert {below.name for below in query.standing_on} <= words


def test_what_a_query_stands_on_comes_before_it_the_lowest_first():
    sql = FILTERED.sql
    assert sql.startswith("WITH windowed AS NOT MATERIALIZED (")
    assert sql.index("windowed AS") < sql.index("opened AS") < sql.index("SELECT * FROM (\nSELECT *\nFROM opened")
    assert sql.count("windowed AS") == 1
    assert Query(FILTERED.package, "filtered", standing_on=(WINDOWED, OPENED)).sql == sql


def test_comments_are_left_out_and_bind_nothing():
    assert "--" not in FILTERED.sql
    assert WINDOWED.parameters == {"from_hour", "to_hour", "from_time", "to_time"}
    assert OPENED.parameters == WINDOWED.parameters | {"clients_by_port"}
