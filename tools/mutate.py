"""Mutated logs through every reader, as many as one likes: how many were tried, and how many passed.

    python tools/mutate.py --seeds 1000 --from 5000
    python tools/mutate.py --seeds 100 --reader zeek

A seed passes if the reader raises nothing but errors of this package, and `tests/support/mutated_logs.py` finds what it
asks for. Parquet and Arrow are read in a process of their own, which ends if the library crashes.

Exits 1 if a seed failed.
"""

import argparse
import subprocess
import sys
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from mutated_logs import ALL, COLUMNAR, try_one

_TRIED = "trying seed"
_SHOWN = 300


def main() -> int:
    """Try the seeds that were asked for; 1 if one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many inputs of each log")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--reader", help="the name of one format, or of one log; all by default")
    parser.add_argument("--alone", action="store_true", help="read in this process, and say which seed is tried")
    options = parser.parse_args()
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for source in ALL:
        if options.reader in (None, source.format, str(source)):
            tried[source.format] += options.seeds
            apart = source in COLUMNAR and not options.alone
            find = failures_apart if apart else failures
            failed[source.format] += find(source, options.first, options.seeds, say=options.alone)
    for name in sorted(tried):
        print(f"{name:18} tried {tried[name]:9,}   passed {tried[name] - failed[name]:9,}")
    return int(failed.total() > 0)


def failures(source: object, first: int, seeds: int, *, say: bool = False) -> int:
    """How many of the seeds from `first` on fail; each is printed, and `say` prints those that are tried as well."""
    failed = 0
    for seed in range(first, first + seeds):
        if say:
            print(_TRIED, seed, flush=True)
        try:
            try_one(source, seed)
        except Exception as error:  # noqa: BLE001 - whatever a reader raises is what is asked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{source}, seed {seed}: {type(error).__name__} in {place.name}: {str(error)[:_SHOWN]}")
            failed += 1
    return failed


def failures_apart(source: object, first: int, seeds: int, *, say: bool = False) -> int:  # noqa: ARG001 - as `failures`
    """As `failures`, in a process of its own; a seed that ends it has failed, and the next one follows."""
    failed, end = 0, first + seeds
    while first < end:
        which = ["--reader", str(source), "--from", str(first), "--seeds", str(end - first)]
        done = subprocess.run(  # noqa: S603 - this script
            [sys.executable, __file__, "--alone", *which], capture_output=True, text=True, check=False
        )
        found = [line for line in done.stdout.splitlines() if line.startswith(f"{source}, seed ")]
        print("\n".join(found), end="\n" if found else "")
        failed += len(found)
        if done.returncode in (0, 1):
            return failed
        tried = [line for line in done.stdout.splitlines() if line.startswith(_TRIED)]
        if not tried:
            raise RuntimeError(f"{source}: no seed was tried: {done.stderr}")
        seed = int(tried[-1].removeprefix(_TRIED))
        print(f"{source}, seed {seed}: the process ended with {done.returncode}")
        failed, first = failed + 1, seed + 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
