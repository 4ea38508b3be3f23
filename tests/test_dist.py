"""What is shipped: the wheel has every file of the package and all that the program reads; the version stands once.

`make dist` does the rest: it builds the sdist too, and tries the wheel in a clean environment.
"""

import importlib.util
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from attribution import __version__

ROOT = Path(__file__).resolve().parent.parent


def tool(script):
    """A script of `tools/` as a module."""
    spec = importlib.util.spec_from_file_location(script, ROOT / "tools" / f"{script}.py")
    module = sys.modules[script] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dist = tool("dist")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names of the files in the wheel and in the sdist, and the wheel's metadata."""
    folder = str(tmp_path_factory.mktemp("dist"))
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=folder, versions=["standard"])
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=folder, versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    with tarfile.open(sdist) as archive:
        return names, archive.getnames(), metadata


def test_the_wheel_has_every_file_of_the_package_and_no_other(built):
    names, _, _ = built
    counts = dist.check_wheel(names, dist.in_the_wheel())
    assert counts["schemas"] == len(list((ROOT / "schemas").glob("*.avsc")))
    assert counts["SQL of the questions"] == len(list((ROOT / "attribution").rglob("*.sql")))


def test_the_sdist_has_what_building_testing_and_deploying_need(built):
    _, names, _ = built
    dist.check_sdist(names, dist.in_the_wheel())


def test_the_version_is_the_packages(built):
    _, _, metadata = built
    assert f"\nVersion: {__version__}\n" in metadata
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "lost",
    ["attribution/query/graph/sql/edges.sql", "attribution/_schemas/flow.avsc", "attribution/py.typed"],
)
def test_a_file_that_the_wheel_lacks_is_named(built, lost):
    names, _, _ = built
    assert lost in names
    with pytest.raises(dist.MissingError, match=lost):
        dist.check_wheel(set(names) - {lost}, dist.in_the_wheel())


def test_a_file_that_the_sdist_lacks_is_named(built):
    _, names, _ = built
    lost = "jobs/attribute_flows.py"
    with pytest.raises(dist.MissingError, match=lost):
        dist.check_sdist([name for name in names if not name.endswith(lost)], dist.in_the_wheel())
