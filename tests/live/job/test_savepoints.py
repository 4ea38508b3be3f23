"""Savepoints of an earlier layout: refused, and converted without a row that is lost, doubled or named wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from history import end_of, found, send
from live_job import LiveJob

from attribution.errors import ClusterError
from attribution.testbed.cluster.processes import JAVA_HOME

EARLIER = Path(__file__).with_name("earlier_layout.py")
DAYS = 86_400_000


def convert(*arguments):
    call = [sys.executable, "-m", "attribution.stream.job.savepoint", *map(str, arguments)]
    environment = os.environ | {"JAVA_HOME": str(JAVA_HOME)}
    return subprocess.run(call, capture_output=True, text=True, check=False, env=environment)


def sides(answer):
    return answer.local.workload, answer.remote.workload


@pytest.mark.parametrize("drain", [False, True], ids=["converted", "drained"])
def test_a_job_goes_on_from_a_savepoint_of_before(broker, cluster, tmp_path, fleet, drain):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s", "buckets": 5}, labels=fleet.labels)
    pieces = fleet.in_time(200)
    half = len(pieces) // 2
    job.start(parallelism=2, script=EARLIER)
    send(job, pieces[:half], span=fleet.span)
    job.say_time(max(end_of(*pieces[half])))
    assert job.attributed(1)
    savepoint, converted = job.stop(drain=drain), tmp_path / "converted"
    with pytest.raises(ClusterError, match=r"attribute_flows: cannot start from .*128 key groups.*Convert it: python"):
        job.start(savepoint=savepoint)

    if not drain:
        wrong = convert(savepoint, converted)
        assert wrong.returncode == 2
        assert "has the buckets 0 to 4, and the configuration says 16" in wrong.stderr
    done = convert(savepoint, converted, "--config", job.config, *(["--drained"] if drain else []))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    job.start(parallelism=1, savepoint=converted)
    send(job, pieces[half:], span=fleet.span)
    job.say_time(fleet.latest_ms + DAYS)
    rows = found(job.attributed(len(fleet.expected)))
    if drain:
        pairs = [pair for one, other in zip(rows, fleet.expected, strict=True)
                 for pair in zip(sides(one), sides(other), strict=True)]  # fmt: skip
        assert all(one == other for one, other in pairs if one is not None and other is not None)
        assert sum(one is not None for one, _ in pairs) > 0.9 * sum(other is not None for _, other in pairs)
    else:
        assert rows == fleet.expected
    again = convert(job.stop(), tmp_path / "again")
    assert "needs no conversion" in again.stderr


def test_what_cannot_be_converted_is_told_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    for old, message in (
        (tmp_path / "empty", "holds no savepoint that can be read"),
        (tmp_path, "it is there already"),
    ):
        done = convert(old, tmp_path / ("new" if old.name == "empty" else "empty"))
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
