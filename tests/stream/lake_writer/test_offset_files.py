"""Files that say which offsets they hold: a crash at any step neither loses nor repeats a row."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamed import HOUR, T0, attributed, numbers_in

from attribution import schema
from attribution.lake import partitions
from attribution.stream.lake_writer.offset_files import PartitionFiles
from attribution.stream.wire.dead_letters import Rejected

TOPIC = "x.attributed-flows"


def take(lake, kind="attributed_flow", partition=3):
    return PartitionFiles.take(lake, kind, TOPIC, partition)


def names(lake):
    return sorted(str(p.relative_to(lake)) for p in lake.rglob("*.parquet") if ".writing" not in p.parts)


def test_files_appear_when_they_are_finished_and_say_where_to_go_on(tmp_path):
    files = take(tmp_path)
    assert files.position is None
    files.add(7, attributed(range(5)))
    files.add(9, attributed(range(5, 6)))
    assert (files.rows, names(tmp_path)) == (6, [])
    assert files.finish() == 2
    stretch = "x.attributed-flows-3-000000000000007-000000000000009.parquet"
    folder = "attributed_flows/date=2026-01-01/hour="
    assert names(tmp_path) == [f"{folder}00/{stretch}", f"{folder}01/{stretch}"]
    assert (files.rows, files.position, numbers_in(tmp_path)) == (0, 10, list(range(6)))
    files.release()
    assert take(tmp_path).position == 10
    assert take(tmp_path, partition=33).position is None


def test_messages_without_rows_make_no_file(tmp_path):
    files = take(tmp_path)
    files.add(0, attributed([]))
    assert (files.finish(), files.position, names(tmp_path)) == (0, None, [])


def test_offsets_without_rows_are_not_asked_for_again(tmp_path):
    files = take(tmp_path)
    assert not files.read_to(4)
    assert (files.finish(), files.position) == (0, None)  # without a row there is nothing to go on behind
    files.add(7, attributed(range(5)))
    assert files.read_to(9)
    assert (files.finish(), files.position) == (2, 9)
    assert not files.read_to(9)
    files.add(9, attributed([]))
    assert files.read_to(30)
    assert (files.finish(), files.position) == (0, 30)
    files.release()
    again = take(tmp_path)
    assert again.position == 30
    again.read_to(40)
    again.abandon()
    assert (again.finish(), again.position) == (0, 30)
    # What it says holds behind the files that it was written for, and it is not needed.
    again.add(30, attributed(range(1)))
    assert (again.finish(), again.position) == (1, 31)
    again.release()
    noted = tmp_path / ".writing" / "read" / f"{TOPIC}-3"
    assert noted.read_text() == "8 30"
    for text in ("8 30", "31", "", "31 x"):
        noted.write_text(text)
        files = take(tmp_path)
        assert files.position == 31
        files.release()


def test_what_was_abandoned_is_gone(tmp_path):
    files = take(tmp_path)
    files.add(0, attributed(range(5)))
    files.abandon()
    assert files.finish() == 0
    assert (files.position, names(tmp_path)) == (None, [])


def test_a_partition_is_one_process_s_at_a_time(tmp_path):
    files = take(tmp_path)
    assert take(tmp_path) is None
    other = take(tmp_path, partition=4)
    assert other is not None
    files.release()
    assert take(tmp_path) is not None


def test_ranges_lie_by_the_day_and_evidence_and_letters_in_one_folder(tmp_path):
    row = {"address": "10.0.0.1", "workload": "w", "longest_gap": 0, "holes": []}
    rows = [row | {"start": T0 + day * 86_400_000_000, "end": T0 + day * 86_400_000_000} for day in (0, 1)]
    files = take(tmp_path, "ownership_range")
    files.add(0, pa.RecordBatch.from_pylist(rows, schema=schema.arrow_schema("ownership_range")))
    files.add_unreadable(1, Rejected(None, "not_arrow", "noise"))
    assert (files.rows, files.finish()) == (3, 3)
    end = "x.attributed-flows-3-000000000000000-000000000000001.parquet"
    found = names(tmp_path)
    assert found == [f"dead_letters/{end}"] + [f"ownership_ranges/date=2026-01-0{day}/{end}" for day in (1, 2)]
    assert pq.read_table(tmp_path / found[0]).to_pylist() == [
        {"topic": TOPIC, "partition": 3, "offset": 1, "row": None, "kind": "ownership_range", "reason": "not_arrow",
         "found": "noise"}
    ]  # fmt: skip
    files.release()
    assert take(tmp_path, "ownership_range").position == 2


class Crash(BaseException):
    """The process ends here."""


class CrashAt:
    """Lets so many calls of the file system pass, then ends the process, or fails as a full disk does."""

    def __init__(self, patch, calls, error=Crash):
        self.left, self.error = calls, error
        for owner, name in ((Path, "rename"), (Path, "mkdir"), (os, "fsync"), (shutil, "rmtree")):
            patch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, call):
        def counted(*arguments, **options):
            self.left -= 1
            if self.left < 0:
                raise self.error
            return call(*arguments, **options)

        return counted


def write(lake, messages=8):
    """Write messages of one row each in stretches of four, of two hours in turn; from where they end."""
    files = take(lake)
    try:
        for offset in range(files.position or 0, messages):
            number = offset - offset % 4 + (0, 2, 1, 3)[offset % 4]
            files.add(offset, attributed([number], every=HOUR // 2))
            if offset % 4 == 3:
                files.finish()
    finally:
        files._hourly = None
        os.close(files._lock)  # as the end of a process does


@pytest.mark.parametrize(("again", "open_files"), [(None, 24), (5, 24), (None, 1)])
def test_a_crash_at_any_step_neither_loses_nor_repeats_a_row(tmp_path, monkeypatch, again, open_files):
    """With one open file, a stretch has several files of one hour."""
    monkeypatch.setattr(partitions, "_OPEN_FILES", open_files)
    monkeypatch.setattr(partitions, "ROW_GROUP", 1)
    for calls in range(200):
        lake = tmp_path / str(calls)
        crashed = []
        for crash in [calls] if again is None else [calls, again]:
            with monkeypatch.context() as patch:
                CrashAt(patch, crash)
                try:
                    write(lake)
                except Crash:
                    crashed.append(crash)
            seen = numbers_in(lake)
            assert seen == sorted(set(seen)), "no reader may see a row twice"
        write(lake)
        assert numbers_in(lake) == list(range(8))
        if calls not in crashed:
            break
    assert calls > 20


@pytest.mark.parametrize("calls", range(0, 40, 4))
def test_a_disk_that_is_full_at_any_step_costs_nothing(tmp_path, monkeypatch, calls):
    files = take(tmp_path)
    written = 0
    with monkeypatch.context() as patch:
        CrashAt(patch, calls, OSError(errno.ENOSPC, "No space left on device"))
        with suppress(OSError):
            for offset in range(8):
                files.add(offset, attributed([offset], every=HOUR // 2))
                if offset % 4 == 3:
                    files.finish()
                    written = offset + 1
    files.abandon()
    position = files.recover() or 0
    assert position >= written
    assert numbers_in(tmp_path) == list(range(position))
