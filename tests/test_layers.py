"""The architecture: imports point down the path of the data, and no package stands outside of that rule."""

import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


LAYERS = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]


def modules(package="attribution"):
    """Every module and package directly inside of a package."""
    folder = ROOT.joinpath(*package.split("."))
    found = {path.stem for path in folder.glob("*.py")}
    found |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return {f"{package}.{name}" for name in found - {"__init__"}}


def test_imports_point_the_way_that_the_contracts_say(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(no_cache=True)
    assert status == 0, capsys.readouterr().out


def parent(name):
    return name.rpartition(".")[0]


def test_the_whole_package_is_layered():
    assert "attribution" in {parent(layers[0]) for layers in LAYERS}


@pytest.mark.parametrize("layers", LAYERS, ids=lambda layers: parent(layers[0]))
def test_every_module_has_its_place_among_the_layers(layers):
    placed = [name.strip() for layer in layers for name in layer.split("|")]
    assert sorted(placed) == sorted(modules(parent(placed[0])))


@pytest.mark.parametrize("engine", ["duckdb", "click", "confluent_kafka"])
def test_every_package_is_either_told_to_do_without_an_engine_or_owns_it(engine):
    """A new package is outside of a `forbidden` contract until it is named there; this notices."""
    owners = {"duckdb": "attribution.query", "click": "attribution.cli", "confluent_kafka": "attribution.stream"}
    without = {
        name
        for contract in CONTRACTS
        if contract["type"] == "forbidden" and engine in contract["forbidden_modules"]
        for name in contract["source_modules"]
    }
    leaves = {
        "attribution.__main__",
        "attribution.config",
        "attribution.records",
        "attribution.schema",
        "attribution.errors",
    }
    assert without | {owners[engine]} | leaves == modules()
