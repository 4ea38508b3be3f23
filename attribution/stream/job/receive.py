"""The job's operator for what other regions say: questions become flows of the buckets, answers go to `Ask`.

Each region has a topic of its own, which is the proof of who speaks. What a region says is believed within its own
prefixes only: it may ask about flows from its addresses to ours, and answer about its addresses.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyflink.common import Row
from pyflink.datastream import ProcessFunction, RuntimeContext

from attribution.core.columnar.dictionaries import plain
from attribution.schema import FLOW, QUESTION, arrow_schema
from attribution.stream.buckets.partitioning import by_bucket
from attribution.stream.buckets.payload import ANSWERS, pack_of_peer, pack_pieces
from attribution.stream.buckets.placement import bucket_keys
from attribution.stream.job.outputs import DEAD_LETTERS, TO_ASK, Output
from attribution.stream.milliseconds import to_us
from attribution.stream.regions.border import Border
from attribution.stream.regions.open_questions import ASKED_BY
from attribution.stream.wire import codec
from attribution.stream.wire.dead_letters import Rejected, dead_letter


class Receive(ProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Decodes, validates and splits what other regions say; takes rows of (value, topic, partition, offset, time).

    The main output is entries with flows for the stage that attributes remote sides, `TO_ASK` entries with answers.
    What is rejected does not count towards the share above which the job stops: that would be a peer's to decide.

    Args:
        peers: the region of each topic.
        border: the regions.
        buckets: how many there are.
    """

    def __init__(self, peers: dict[str, str], border: Border, *, buckets: int) -> None:
        self._peers, self._border, self._count = peers, border, buckets
        self._keys = bucket_keys(buckets)

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make what cannot be sent."""
        group = runtime_context.get_metrics_group()
        self._questions = group.counter("questions_in")
        self._answers = group.counter("answers_in")
        self._dead = group.counter("dead_letters")

    def process_element(self, value: Row, ctx: ProcessFunction.Context) -> Iterator[Output]:  # noqa: ARG002 (Flink's signature)
        """One message."""
        content, topic, partition, offset, reported = value
        peer = self._peers[topic]
        kind, decoded = codec.decode_of_region(content, reported_us=to_us(reported.to_epoch_milli()))
        batch, foreign = self._own(kind, decoded.batch, peer)
        for rejected in [*decoded.rejects, *foreign]:
            yield DEAD_LETTERS, dead_letter(topic, partition, offset, kind, rejected)
        self._dead.inc(decoded.rejected_rows + decoded.batch.num_rows - batch.num_rows)
        (self._questions if kind == QUESTION else self._answers).inc(batch.num_rows)
        if kind == QUESTION:
            for bucket, rows in by_bucket(_as_flows(batch, peer), "remote_address", self._count):
                for content in pack_pieces(FLOW, rows):
                    yield Row(self._keys[bucket], content)
        else:
            for bucket, rows in by_bucket(batch, "remote_address", self._count):
                yield TO_ASK, Row(self._keys[bucket], pack_of_peer(ANSWERS, rows, peer))

    def _own(self, kind: str, batch: pa.RecordBatch, peer: str) -> tuple[pa.RecordBatch, list[Rejected]]:
        """The rows that are the peer's to send, and a letter about the others."""
        border, remote = self._border, batch.column("remote_address")
        if kind == QUESTION:
            theirs = border.within(batch, "local", peer) & border.within(batch, "remote", border.region)
        else:
            # To what was asked in which network, only the open question knows.
            theirs = border.may_have(remote, peer)
        if theirs.all():
            return batch, []
        found = f"{(~theirs).sum()} rows of {peer}, the first about {remote[int(np.argmin(theirs))].as_py()}"
        return batch.filter(pa.array(theirs)), [Rejected(None, "foreign_prefix", found)]


def _as_flows(questions: pa.RecordBatch, peer: str) -> pa.RecordBatch:
    """Flows of `schemas/flow.avsc` with what their answers go back with; nothing that a question does not say."""
    questions = plain(questions)
    rows = questions.num_rows
    columns = {f.name: pa.nulls(rows, f.type) for f in arrow_schema(FLOW)}
    columns |= dict(zip(questions.schema.names, questions.columns, strict=True))
    columns[ASKED_BY] = pa.repeat(pa.scalar(peer), rows)
    return pa.record_batch(list(columns.values()), names=list(columns))
