"""Each format owns what is said of it: its name, its how-to page, why it leaves out sound rows."""

from pathlib import Path

import pytest

from attribution.sources import registry
from attribution.sources.records.model import ANY_FORMAT

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"


@pytest.mark.parametrize("known", registry.FORMATS, ids=lambda known: known.name)
def test_a_format_names_its_page_and_its_reasons(known):
    assert (PAGES / f"{known.how_to}.md").is_file()
    for reason, meaning in known.skips.items():
        assert reason.replace("_", "").isalpha()
        assert reason == reason.lower()
        assert meaning.endswith(".")
        assert meaning[0].isupper() or meaning[0] == "`"
    assert not set(known.skips) & set(ANY_FORMAT)


def test_the_registry_collects_the_reasons():
    assert {name: dict(skips) for name, skips in registry.SKIPS.items()} == {
        known.name: dict(known.skips) for known in registry.FORMATS if known.skips
    }
    assert "native" not in registry.SKIPS
