"""The job's first operator: Kafka values to entries for the buckets, and dead letters."""

from collections.abc import Iterator

from pyflink.common import Row
from pyflink.datastream import ProcessFunction, RuntimeContext

from attribution.config import Settings
from attribution.errors import RejectLimitError
from attribution.records import CONFIGURATION
from attribution.stream.buckets.placement import bucket_keys
from attribution.stream.job.intake import Intake
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import DEAD_LETTERS, LOCAL_SIDE, TICK, TIMES, Output
from attribution.stream.job.split import Splitter
from attribution.stream.job.worker import spare_imports
from attribution.stream.milliseconds import to_us
from attribution.stream.regions.border import Border
from attribution.stream.wire import codec
from attribution.stream.wire.dead_letters import dead_letter

#: Rows to have seen before the share of rejected ones is judged.
_JUDGE_FROM = 10_000


class Decode(ProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Decodes, validates and splits messages; takes rows of (value, topic, partition, offset, time).

    A row without topic is a tick. The main output is for the stage that attributes remote sides, `LOCAL_SIDE` for that
    of local ones, `TIMES` for the clock.

    Args:
        kinds: the record that each topic is for.
        settings: the settings of the rules.
        options: how the job runs.
        border: the regions, where there are several; evidence about addresses of others is rejected.
    """

    def __init__(
        self, kinds: dict[str, str], settings: Settings, options: StreamOptions, *, border: Border | None = None
    ) -> None:
        self._kinds, self._border = kinds, border
        self._settings, self._options = settings, options
        self._keys = bucket_keys(options.buckets)
        self._seen = self._rejected = 0

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make what cannot be sent."""
        spare_imports()
        border = self._border
        self._splitter = Splitter(self._settings, buckets=self._options.buckets, border=border)
        self._intake = Intake(self._settings, border=border)
        group = runtime_context.get_metrics_group()
        if border is not None:
            group.gauge("regions_failed", lambda: int(border.failed))
        self._rows = group.counter("rows_in")
        self._dead = group.counter("dead_letters")

    def process_element(self, value: Row, ctx: ProcessFunction.Context) -> Iterator[Output]:  # noqa: ARG002 (Flink's signature)
        """One message."""
        content, topic, partition, offset, reported = value
        if topic is None:
            yield TIMES, Row(0, TICK)
            return
        kind = self._kinds[topic]
        reported_ms = reported.to_epoch_milli()
        decoded = codec.decode(kind, content, reported_us=to_us(reported_ms))
        own = self._intake.own(kind, decoded)
        for rejected in own.rejects:
            yield DEAD_LETTERS, dead_letter(topic, partition, offset, kind, rejected)
        self._count(own.batch.num_rows, own.rejected_rows, topic)
        for entry in self._splitter.split(kind, own.batch, own.flow_heartbeats):
            row = Row(self._keys[entry.bucket], entry.content)
            yield row if entry.stage == "remote" else (LOCAL_SIDE, row)
        if kind not in CONFIGURATION or not decoded.batch.num_rows:  # which may be published with any time
            yield TIMES, Row(0, (topic, partition, reported_ms))

    def _count(self, rows: int, rejected: int, topic: str) -> None:
        self._rows.inc(rows)
        self._dead.inc(rejected)
        self._seen += rows + rejected
        self._rejected += rejected
        if self._seen >= _JUDGE_FROM and self._rejected > self._options.rejected_share * self._seen:
            raise RejectLimitError(
                f"{self._rejected} of {self._seen} rows were rejected, more than the allowed share of "
                f"{self._options.rejected_share:g}, the last of them on topic {topic!r}; the dead letters have the "
                "reasons: mend the producer, or allow a larger share "
                "(rejected_share in the table [stream] of the file that --config names)"
            )
