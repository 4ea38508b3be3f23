"""The worked examples in docstrings are true, and the modules that are hard to read have one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Those with an example; most others are never imported here, because some need Flink.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "attribution").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
#: Columnar code that nobody follows without seeing a few rows go through it.
HARD = {
    "addressing.ipv4", "addressing.ipv6", "addressing.port_blocks", "addressing.prefix_intervals", "addressing.sockets",
    "columnar.arrays", "columnar.interval_index", "fallback.assignments", "fallback.validity", "ownership.lookup",
    "ownership.ranges", "ownership.segments", "ownership.services", "timeline.intervals",
}  # fmt: skip


def examples(module):
    return [test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module):
    failures = []
    runner = doctest.DocTestRunner()
    for test in examples(module):
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_hard_modules_have_an_example():
    assert {f"attribution.core.{name}" for name in HARD} <= {module for module in MODULES if examples(module)}
