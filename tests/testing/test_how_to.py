"""The page about testing: every example is run as it stands."""

import inspect
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "testing.md"


def examples():
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        names = {}
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 (our own page)
        yield from ((name, test) for name, test in names.items() if name.startswith("test_"))


EXAMPLES = dict(examples())


def test_the_page_has_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_of_the_page_passes(example, tmp_path):
    example(*(tmp_path for _ in inspect.signature(example).parameters))
