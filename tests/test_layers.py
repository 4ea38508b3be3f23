"""The architecture: imports point down the path of the data, and no package stands outside of that rule."""

import re
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


def test_the_page_about_the_architecture_names_every_package_and_the_layers():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \|[^|]*\|([^|]*)\|$", page, re.MULTILINE)
    folders = ROOT / "attribution"
    packages = {path.parent.name: path.parent for path in folders.glob("*/__init__.py")}
    assert {name for name, _ in rows} == set(packages)
    for name, inside in rows:
        found = {f"{path.parent.name}/" for path in packages[name].glob("*/__init__.py")}
        assert set(re.findall(r"`([\w/]+)`", inside)) == found, name
    (layers,) = [contract["layers"] for contract in CONTRACTS if contract["name"].startswith("Imports point down")]
    drawn = [line.split() for line in re.search(r"```text\n(.*?)```", page, re.DOTALL)[1].splitlines()]
    assert drawn == [re.findall(r"attribution\.(\w+)", layer) for layer in layers if "__main__" not in layer]


def test_only_the_job_knows_flink():
    source = {path: path.read_text(encoding="utf-8") for path in (ROOT / "attribution").rglob("*.py")}
    knowing = [path for path, text in source.items() if re.search(r"^\s*(?:from|import) pyflink", text, re.MULTILINE)]
    assert {str(path.parent.relative_to(ROOT)) for path in knowing} == {"attribution/stream/job"}


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
        "attribution.origins",
        "attribution.records",
        "attribution.schema",
        "attribution.errors",
    }
    assert without | {owners[engine]} | leaves == modules()
