"""Whatever a log is wrapped in, its records are those of the plain log."""

import json

import pytest
from json_log_lines import LINES
from wrappings import OF_LINES, OF_OBJECTS

from attribution.sources import Ledger, read

VPC = [
    f"2 123456789012 eni-0a1b2c3d 10.0.1.{n} 10.0.2.9 4000{n} 443 6 10 1200 177244560{n} 177244564{n} ACCEPT OK"
    for n in range(4)
]
FORMATS = {f"{name}-{n}": (name, [json.dumps(line)] * 3) for n, (name, line) in enumerate(LINES)}
FORMATS["vpc"] = ("vpc", VPC)


def records(path, name=None):
    """Records, and what they were recognised as."""
    ledger = Ledger(max_rejected_share=1)
    found = [(one.kind, row) for one in read([path], ledger=ledger, format=name) for row in one.batch.to_pylist()]
    return found, ledger


WRAPPED = [(around, sample) for sample in FORMATS for around in OF_LINES]
WRAPPED += [(around, sample) for sample in FORMATS if sample != "vpc" for around in OF_OBJECTS]


@pytest.mark.parametrize(("wrapping", "sample"), WRAPPED)
def test_a_wrapped_log_has_the_records_of_the_plain_one(wrapping, sample, tmp_path):
    _, lines = FORMATS[sample]
    plain, around = tmp_path / "plain.log", tmp_path / "around.log"
    plain.write_text("\n".join(lines))
    around.write_bytes((OF_LINES | OF_OBJECTS)[wrapping](lines))
    expected, before = records(plain)
    found, ledger = records(around)
    assert found == expected
    assert found or ledger.skipped
    assert not ledger.rejected
    read_as = {name for _, name in (*ledger.rows, *((r, n) for n, r in ledger.skipped))}
    assert read_as == {name for _, name in before.rows} | {n for n, _ in before.skipped}
