"""The job's graph: four topics in, decoded and split, attributed side by side, three topics out, exactly once.

    flows ─────────┐
    heartbeats ────┤                ┌─► local side ──┐
    assignments ───┼─► decode, split┤                ├─► remote side ─┬─► attributed-flows
    name-bindings ─┘                ├────────────────┘                └─► ownership-ranges
    ticks ─────────┘                ├─► clock ─► both sides
                                    └─► dead-letters

Every operator that has state has a fixed `uid`, so that a savepoint of one version is taken up by the next.
"""

from dataclasses import dataclass
from typing import Any

from pyflink.common import Duration, Types, WatermarkStrategy
from pyflink.common.serialization import ByteArraySchema
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.table import DataTypes, Schema, StreamTableEnvironment, TableDescriptor

from attribution.config import Settings
from attribution.flink.attribute import RANGES, Attribute
from attribution.flink.clock import Clock
from attribution.flink.decode import BYTES, DEAD_LETTERS, ENTRY, LOCAL_SIDE, TIMES, Decode
from attribution.flink.options import StreamOptions
from attribution.schema import ATTRIBUTED_FLOW, DEAD_LETTER, OWNERSHIP_RANGE
from attribution.streaming.topics import INPUT_TOPICS, topic_of

#: A key goes to one of so many key groups; no operator can have a higher parallelism. Part of the state's layout.
MAX_PARALLELISM = 128
#: Below the broker's `transaction.max.timeout.ms` (15 min by default), which the connector's own default exceeds.
_TRANSACTION_TIMEOUT_MS = 10 * 60 * 1000
#: Where the cluster's configuration has no interval of its own.
_CHECKPOINT_INTERVAL_MS = 10_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that the graph depends on.

    Attributes:
        name: the job's name, as the Flink UI shows it; also its consumer group and the prefix of its transactions, so
            that two jobs on one broker need two names.
        kafka: the properties of Kafka's Java clients.
        prefix: what the names of all topics begin with.
        settings: the settings of the rules.
        options: how the job runs.
        labels: table of `schemas/label.avsc`.
    """

    name: str
    kafka: dict[str, str]
    prefix: str
    settings: Settings
    options: StreamOptions
    labels: Any


def build(environment: StreamExecutionEnvironment, job: Job) -> None:
    """Add the job's operators to an environment, which can then be executed."""
    environment.set_max_parallelism(MAX_PARALLELISM)
    if environment.get_checkpoint_interval() <= 0:
        # Results become visible with the checkpoint that follows them: without checkpoints, never.
        environment.enable_checkpointing(_CHECKPOINT_INTERVAL_MS)
    tables = StreamTableEnvironment.create(environment)
    kinds = {topic_of(kind, prefix=job.prefix): kind for kind in INPUT_TOPICS}
    sources = [_source(tables, job, topic, kind) for topic, kind in kinds.items()]
    messages = sources[0].union(*sources[1:], _ticks(tables))
    decoded = messages.process(Decode(kinds, job.settings, job.options), output_type=ENTRY)
    decoded.name("decode").uid("decode")
    times = decoded.get_side_output(TIMES).key_by(lambda _: 0, key_type=Types.INT())
    clock = times.process(Clock(job.options), output_type=ENTRY).name("clock").uid("clock")
    rules = job.settings, job.options, job.labels
    entries = decoded.get_side_output(LOCAL_SIDE).union(clock.get_side_output(LOCAL_SIDE))
    local = _attribute(entries, Attribute("local", *rules), ENTRY, "local")
    remote = _attribute(decoded.union(clock, local), Attribute("remote", *rules), BYTES, "remote")
    _sink(remote, job, ATTRIBUTED_FLOW)
    _sink(remote.get_side_output(RANGES), job, OWNERSHIP_RANGE)
    _sink(decoded.get_side_output(DEAD_LETTERS), job, DEAD_LETTER)


def _attribute(entries: DataStream, function: Attribute, output: Any, side: str) -> DataStream:
    keyed = entries.key_by(lambda entry: entry[0], key_type=Types.INT())
    return keyed.process(function, output_type=output).name(f"attribute {side} side").uid(f"attribute-{side}")


def _source(tables: StreamTableEnvironment, job: Job, topic: str, kind: str) -> DataStream:
    """A topic as rows of (value, topic, partition, offset, time), with watermarks made in every partition.

    The connector of the Table API, because only that hands the offset on to Python, for the dead letters.
    """
    schema = (
        Schema.new_builder()
        .column("value", DataTypes.BYTES())
        .column_by_metadata("topic", DataTypes.STRING(), is_virtual=True)
        .column_by_metadata("partition", DataTypes.INT(), is_virtual=True)
        .column_by_metadata("offset", DataTypes.BIGINT(), is_virtual=True)
        .column_by_metadata("reported", DataTypes.TIMESTAMP_LTZ(3), metadata_key="timestamp", is_virtual=True)
        .watermark("reported", f"reported - {_interval(job.options.report_delay)}")
        .build()
    )
    descriptor = TableDescriptor.for_connector("kafka").schema(schema).format("raw")
    options = {
        "topic": topic,
        "properties.group.id": job.name,
        "scan.startup.mode": "earliest-offset",
        "scan.watermark.idle-timeout": f"{job.options.idle_after // 1000} ms",
        # What is read ahead waits in state: no topic may run far ahead of another.
        "scan.watermark.alignment.group": job.name,
        "scan.watermark.alignment.max-drift": f"{(job.settings.hold + job.options.report_delay) // 1000} ms",
        **{f"properties.{name}": value for name, value in job.kafka.items()},
    }
    for name, value in options.items():
        descriptor = descriptor.option(name, value)
    tables.create_temporary_table(kind, descriptor.build())
    stream = tables.to_data_stream(tables.from_path(kind))
    _fix_uids(stream, f"source-{kind}")
    return stream


def _ticks(tables: StreamTableEnvironment) -> DataStream:
    """A row without topic every second, so that the job goes on where no message comes; it says nothing about time."""
    descriptor = (
        TableDescriptor.for_connector("datagen")
        .schema(Schema.new_builder().column("number", DataTypes.BIGINT()).build())
        .option("rows-per-second", "1")
    )
    tables.create_temporary_table("ticks", descriptor.build())
    row = [("value", "BYTES"), ("topic", "STRING"), ("partition", "INT"), ("offset", "BIGINT")]
    row.append(("reported", "TIMESTAMP_LTZ(3)"))
    columns = ", ".join(f"CAST(NULL AS {kind}) AS `{name}`" for name, kind in row)
    stream = tables.to_data_stream(tables.sql_query(f"SELECT {columns} FROM ticks"))
    _fix_uids(stream, "ticks")
    # Idle from the first on: it holds no other stream back.
    idle = WatermarkStrategy.no_watermarks().with_idleness(Duration.of_millis(1))
    return stream.assign_timestamps_and_watermarks(idle).uid("ticks-idle")


def _interval(microseconds: int) -> str:
    """A duration of whole milliseconds as SQL has it."""
    seconds, milliseconds = divmod(microseconds // 1000, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"INTERVAL '{days} {hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}' DAY TO SECOND(3)"


def _sink(stream: DataStream, job: Job, kind: str) -> None:
    topic = topic_of(kind, prefix=job.prefix)
    serializer = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(topic)
        .set_value_serialization_schema(ByteArraySchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(job.kafka["bootstrap.servers"])
        .set_record_serializer(serializer)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{job.name}-{kind}")
        .set_property("transaction.timeout.ms", str(_TRANSACTION_TIMEOUT_MS))
    )
    for name, value in job.kafka.items():
        sink = sink.set_property(name, value)
    stream.sink_to(sink.build()).name(topic).uid(f"sink-{kind}")


def _fix_uids(stream: DataStream, prefix: str) -> None:
    """Name the operators that the Table API made: it leaves them to numbers that change with the plan."""
    waiting, number = [stream._j_data_stream.getTransformation()], 0  # noqa: SLF001 (the only way to it)
    while waiting:
        one = waiting.pop()
        if one.getUid() is None:
            one.setUid(f"{prefix}-{number}")
        number += 1
        waiting.extend(one.getInputs())
