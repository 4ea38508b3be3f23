"""`make cluster` and `make cluster-stop`."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from attribution.testbed.cluster.flink_rest import FlinkRest
from attribution.testbed.cluster.processes import wait_until

TOOL = Path(__file__).resolve().parents[3] / "tools" / "cluster.py"


def run(*arguments):
    return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False, timeout=500)


def counted(lake):
    """Attributed flows that a reader of the lake sees."""
    files = list((lake / "attributed_flows").glob("*/*/*.parquet"))
    return sum(pq.read_metadata(file).num_rows for file in files)


def test_a_cluster_goes_on_by_itself_until_it_is_stopped(tmp_path):
    started = run("start", tmp_path)
    try:
        assert started.returncode == 0, started.stderr
        url = next(line.split()[1] for line in started.stdout.splitlines() if line.startswith("  Flink"))
        assert FlinkRest(int(url.rpartition(":")[2])).rest("/overview")["taskmanagers"] == 1
        assert {"attributed-flows", "dead-letters"} <= set(started.stdout.replace(",", "").split())
        wait_until(lambda: counted(tmp_path / "lake") > 0, "attributed flows in the lake", timeout_s=300)
        pids = [int(pid) for pid in json.loads((tmp_path / "processes.json").read_text())]
        again = run("start", tmp_path)
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr.startswith(f"cluster: a cluster runs already in {tmp_path}: stop it first")
    finally:
        stopped = run("stop", tmp_path)
    # The publisher of the fleet may have come to its end by itself.
    ended = [f"Ended {count} servers of {tmp_path}.\n" for count in (len(pids), len(pids) - 1)]
    assert stopped.returncode == 0
    assert stopped.stdout in ended
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert run("stop", tmp_path).stdout == f"Ended 0 servers of {tmp_path}.\n"


def test_a_number_that_another_process_has_by_now_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "processes.json").write_text(json.dumps({other.pid: 1.0}))
        assert run("stop", tmp_path).stdout == f"Ended 0 servers of {tmp_path}.\n"
        assert other.poll() is None
        other.kill()
