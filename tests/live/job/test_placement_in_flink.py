"""The keys of buckets fall on workers where we think they do: Flink itself is asked."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from attribution.stream.buckets.placement import MAX_PARALLELISM, bucket_keys, key_groups
from attribution.testbed.cluster.processes import JAVA_HOME

SCRIPT = Path(__file__).with_name("key_groups_of_flink.py")


def ask(questions):
    """Key group and worker of each (key, number of key groups, parallelism)."""
    done = subprocess.run(
        [sys.executable, SCRIPT],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"JAVA_HOME": str(JAVA_HOME)},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_key_groups_are_those_of_flink_and_workers_have_as_many_buckets_each_or_one_more():
    keys = [*range(200), *range(1_000_000, 1_000_050), (1 << 31) - 100]
    questions = [(key, count, 1) for count in (128, MAX_PARALLELISM) for key in keys]
    cases = [(buckets, parallelism) for buckets in (16, 64) for parallelism in (*range(1, 17), 32, 64)]
    for buckets, parallelism in cases:
        questions += [(key, MAX_PARALLELISM, parallelism) for key in bucket_keys(buckets)]
    questions += [(bucket, 128, 2) for bucket in range(16)]
    answers = iter(ask(questions))

    for count in (128, MAX_PARALLELISM):
        assert key_groups(np.array(keys, np.uint32), count).tolist() == [next(answers)[0] for _ in keys]
    for buckets, parallelism in cases:
        loads = Counter(next(answers)[1] for _ in range(buckets))
        low, more = divmod(buckets, parallelism)
        assert sorted(loads.values()) == [low] * (parallelism - more if low else 0) + [low + 1] * more
    # As it was before: the numbers of the buckets as keys.
    assert Counter(next(answers)[1] for _ in range(16)) == {0: 11, 1: 5}
    assert next(answers, None) is None
