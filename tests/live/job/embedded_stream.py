"""The job's two stages in one process: what Flink's operators do with splitter and buckets, without Flink."""

import pyarrow as pa

from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.schema import LABEL, OWNERSHIP_RANGE, arrow_schema
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.job.split import Splitter


class EmbeddedStream:
    """Elements go to buckets, whose logs are kept here; buckets can be lost and are then made anew from their logs."""

    def __init__(self, settings, *, labels=None, buckets=3):
        self.settings = settings
        self.labels = labels if labels is not None else arrow_schema(LABEL).empty_table()
        self.splitter = Splitter(settings, buckets=buckets)
        self.logs = {}
        self.buckets = {}
        self.attributed = []
        self.ranges = [arrow_schema(OWNERSHIP_RANGE).empty_table()]

    def send(self, kind, batch, span="interval"):
        for entry in self.splitter.split(kind, batch, span):
            self._take(entry)

    def _take(self, entry):
        key = entry.stage, entry.bucket
        self._bucket(key).take(entry.content, 0)
        self.logs.setdefault(key, []).append(entry.content)

    def _bucket(self, key):
        if key not in self.buckets:
            self.buckets[key] = Bucket(self.settings, sides=key[0], labels=self.labels, log=self.logs.get(key, ()))
        return self.buckets[key]

    def advance(self, watermark):
        """Let the watermark pass both stages, the local one first."""
        for stage in ("local", "remote"):
            for key in sorted(set(self.logs)):
                if key[0] == stage:
                    self._release(key, *self._bucket(key).advance(watermark))

    def _release(self, key, batches, entries):
        self.logs[key] += entries
        for rows in batches:
            if key[0] == "remote":
                self.attributed.append(rows)
            else:
                for entry in self.splitter.halves(rows):
                    self._take(entry)

    def settle(self):
        for key in self.logs:
            self.logs[key], ranges = self._bucket(key).settle()
            if ranges is not None:
                self.ranges.append(ranges)

    def crash(self):
        self.buckets.clear()

    def finish(self):
        self.advance(NEVER_AFTER)
        self.settle()

    def table_of_ranges(self):
        return pa.concat_tables(self.ranges)
