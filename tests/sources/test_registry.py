"""Each format owns what is said of it: its name, its how-to page, why it leaves out sound rows."""

import json
from pathlib import Path

import pytest
from json_log_lines import LINES

from attribution.sources import Ledger, read, registry
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


@pytest.mark.parametrize("first", ['{"level": "info", "msg": "started"}', "{}", '{"flow": 3}', '{"a":'])
@pytest.mark.parametrize("line", [line for _, line in LINES], ids=[f"{name}-{n}" for n, (name, _) in enumerate(LINES)])
def test_a_first_line_that_is_no_record_hides_no_format(tmp_path, first, line):
    path = tmp_path / "log"
    path.write_text("\n".join([first, *[json.dumps(line)] * 3]))
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1)
    rows = [row for one in read([path], ledger=ledger) for row in one.batch.to_pylist()]
    path.write_text("\n".join([json.dumps(line)] * 3))
    plain = Ledger(max_rejected_share=1)
    assert rows == [row for one in read([path], ledger=plain) for row in one.batch.to_pylist()]
    assert {one.reason for one in rejects} <= {"malformed", "unknown_kind", "missing_field", "not_a_time"}
    assert ledger.rows == plain.rows
    assert (ledger.rejected.total() or ledger.skipped.total() > plain.skipped.total()) == 1
