"""Several networks on a real cluster: overlapping addresses, routes, disorder, a kill and fewer workers."""

import os
import random
import signal
from collections import Counter

from history import History, end_of, found, send
from live_job import LiveJob, wait_for_checkpoint

from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

MINUTE_MS, DAYS = 60_000, 86_400_000
PARAMETERS = ("connections=3000", "duration=15m", "capture_share=0.5", "window_share=0.3", "networks=3")


def disordered(pieces, seed):
    """Pieces that come up to three minutes late, in another order each time."""
    late = random.Random(seed)
    return sorted(pieces, key=lambda piece: max(end_of(*piece)) + late.uniform(0, 3 * MINUTE_MS))


def test_networks_give_the_rows_of_a_replay_through_disorder_a_kill_and_fewer_workers(broker, cluster, tmp_path):
    chosen = scenario("hostile", (*PARAMETERS, "overlap=1", "crossing_share=0.3"))
    history = History.of(simulate(chosen, seed=4), span="none")
    reasons = Counter(side.reason for answer in history.expected for side in (answer.local, answer.remote))
    assert min(reasons[reason] for reason in ("other_network", "several_networks", "bridged", "assigned")) >= 20
    assert sum(answer.remote_network is not None for answer in history.expected) > 100

    given = {name: value for name, value in history.settings.to_dict().items() if isinstance(value, list) and value}
    options = {"report_delay": "5m", "idle_after": "10m"}
    job = LiveJob(broker, cluster, tmp_path, stream=options, attribution=given, labels=history.labels)
    pieces = disordered(history.in_time(200), seed=1)
    third = len(pieces) // 3
    job.start(parallelism=2)
    send(job, pieces[:third], span="none")
    job.flush()
    wait_for_checkpoint(cluster, job)
    os.kill(cluster.python_workers()[0], signal.SIGKILL)
    send(job, pieces[third : 2 * third], span="none")
    job.flush()
    wait_for_checkpoint(cluster, job)
    savepoint = job.stop()
    job.start(parallelism=1, savepoint=savepoint)
    send(job, pieces[2 * third :], span="none")
    job.say_time(history.latest_ms + DAYS)
    assert found(job.attributed(len(history.expected))) == history.expected
    job.stop()
