"""The job's graph: six topics in, decoded and split, attributed side by side, three topics out, exactly once.

    flows ─────────┐
    heartbeats ────┤
    assignments ───┤                ┌─► local side ──┐
    name-bindings ─┼─► decode, split┤                ├─► remote side ─┬─► attributed-flows
    policies ──────┤                ├────────────────┘                └─► ownership-ranges
    socket-rules ──┤                ├─► clock ─► both sides
    ticks ─────────┘                └─► dead-letters

Where the job is one of several regions, there are two operators and two topics for each other region more:

    from-REGION ─► receive ─┬─► remote side ─► to-REGION
                            └─► ask ─┬─► attributed-flows
                  remote side ──►─┘  └─► to-REGION

Every operator that has state has a fixed `uid`, so that a savepoint of one version is taken up by the next.
"""

from dataclasses import dataclass

import pyarrow as pa
from pyflink.common import Duration, TypeInformation, Types, WatermarkStrategy
from pyflink.common.serialization import ByteArraySchema
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, Schema, StreamTableEnvironment, TableDescriptor

from attribution.config import Microseconds, Settings
from attribution.schema import ATTRIBUTED_FLOW, DEAD_LETTER, OWNERSHIP_RANGE
from attribution.stream.buckets.placement import MAX_PARALLELISM
from attribution.stream.job.ask import Ask
from attribution.stream.job.attribute import Attribute
from attribution.stream.job.clock import Clock
from attribution.stream.job.decode import Decode
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import (
    BYTES,
    DEAD_LETTERS,
    ENTRY,
    LOCAL_SIDE,
    RANGES,
    TIME_OF,
    TIMES,
    TO_ASK,
    TO_BORDER,
    to_peer,
)
from attribution.stream.job.receive import Receive
from attribution.stream.kafka.settings import READ_COMMITTED
from attribution.stream.milliseconds import to_ms
from attribution.stream.regions.border import Border
from attribution.stream.topics import INPUT_TOPICS, from_region, to_region, topic_of

#: Below the broker's `transaction.max.timeout.ms` (15 min by default), which the connector's own default exceeds.
_TRANSACTION_TIMEOUT_MS = 10 * 60 * 1000
#: How often topics of other regions are read, and more bytes than an answer to that has (1 MB a partition). A stream is
#: found idle when it said nothing at two looks, 200 ms apart.
_PAUSE_MS, _FETCH_BYTES = 2_000, 50 << 20
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
        border: the regions, where there are several.
    """

    name: str
    kafka: dict[str, str]
    prefix: str
    settings: Settings
    options: StreamOptions
    labels: pa.Table
    border: Border | None = None


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
    decoded = messages.process(Decode(kinds, job.settings, job.options, border=job.border), output_type=ENTRY)
    decoded.name("decode").uid("decode")
    times = _keyed(decoded.get_side_output(TIMES), TIME_OF)
    clock = times.process(Clock(job.options), output_type=ENTRY).name("clock").uid("clock")
    rules = job.settings, job.options, job.labels
    entries = decoded.get_side_output(LOCAL_SIDE).union(clock.get_side_output(LOCAL_SIDE))
    local = _attribute(entries, Attribute("local", *rules, border=job.border), ENTRY, "local")
    for_remote, dead = decoded.union(clock, local), decoded.get_side_output(DEAD_LETTERS)
    if job.border is None:
        remote = flows = _attribute(for_remote, Attribute("remote", *rules), BYTES, "remote")
    else:
        received = _receive(tables, job, job.border)
        for_remote, dead = for_remote.union(received), dead.union(received.get_side_output(DEAD_LETTERS))
        remote = _attribute(for_remote, Attribute("remote", *rules, border=job.border), BYTES, "remote")
        crossing = remote.get_side_output(TO_BORDER).union(received.get_side_output(TO_ASK), clock)
        asked = _keyed(crossing, BYTES).process(Ask(job.options, job.border.peers), BYTES)
        asked.name("ask").uid("ask")
        flows = remote.union(asked)
        for peer in job.border.peers:
            said = remote.get_side_output(to_peer(peer)).union(asked.get_side_output(to_peer(peer)))
            _sink(said, job, topic=to_region(peer, prefix=job.prefix), name=f"to-{peer}")
    for stream, kind in (
        (flows, ATTRIBUTED_FLOW),
        (remote.get_side_output(RANGES), OWNERSHIP_RANGE),
        (dead, DEAD_LETTER),
    ):
        _sink(stream, job, topic=topic_of(kind, prefix=job.prefix), name=kind)


def _keyed(rows: DataStream, content: TypeInformation) -> KeyedStream:
    """Rows of key and content, keyed as they are; the type is that of the content.

    PyFlink's own `key_by` sends every row through one more Python operator, which puts its key before it.
    """
    key = Types.ROW([Types.INT()]).get_java_type_info()
    keyed = rows._j_data_stream.keyBy(get_gateway().jvm.KeyByKeySelector(), key)  # noqa: SLF001 (the only way to it)
    return KeyedStream(keyed, content, rows)


def _receive(tables: StreamTableEnvironment, job: Job, border: Border) -> DataStream:
    """What the other regions say, as entries."""
    topics = {from_region(peer, prefix=job.prefix): peer for peer in border.peers}
    # Each is idle by itself, in its own pauses.
    first, *others = [
        _timeless(_source(tables, job, topic, f"from-{peer}", timed=False), f"from-{peer}")
        for topic, peer in topics.items()
    ]
    received = first.union(*others) if others else first
    received = received.process(Receive(topics, border, buckets=job.options.buckets), output_type=ENTRY)
    return received.name("receive").uid("receive")


def _attribute(entries: DataStream, function: Attribute, output: TypeInformation, side: str) -> DataStream:
    return (
        _keyed(entries, BYTES)
        .process(function, output_type=output)
        .name(f"attribute {side} side")
        .uid(f"attribute-{side}")
    )


def _source(tables: StreamTableEnvironment, job: Job, topic: str, name: str, *, timed: bool = True) -> DataStream:
    """A topic's committed messages as rows of (value, topic, partition, offset, time).

    With watermarks of every partition if the topic is timed.

    The connector of the Table API, because only that hands the offset on to Python, for the dead letters.
    """
    schema = (
        Schema.new_builder()
        .column("value", DataTypes.BYTES())
        .column_by_metadata("topic", DataTypes.STRING(), is_virtual=True)
        .column_by_metadata("partition", DataTypes.INT(), is_virtual=True)
        .column_by_metadata("offset", DataTypes.BIGINT(), is_virtual=True)
        .column_by_metadata("reported", DataTypes.TIMESTAMP_LTZ(3), metadata_key="timestamp", is_virtual=True)
    )
    options = {
        "topic": topic,
        "properties.group.id": job.name,
        "scan.startup.mode": "earliest-offset",
        **{f"properties.{key}": value for key, value in {**job.kafka, **READ_COMMITTED}.items()},
    }
    if not timed:
        # The broker answers once in so long, however much there is to read: a stream without a pause would never be
        # found idle, and time would stand still from the start on.
        options |= {"properties.fetch.min.bytes": str(_FETCH_BYTES), "properties.fetch.max.wait.ms": str(_PAUSE_MS)}
    else:
        schema = schema.watermark("reported", f"reported - {_interval(job.options.report_delay)}")
        options |= {
            "scan.watermark.idle-timeout": f"{to_ms(job.options.idle_after)} ms",
            # What is read ahead waits in state: no topic may run far ahead of another.
            "scan.watermark.alignment.group": job.name,
            "scan.watermark.alignment.max-drift": f"{to_ms(job.settings.hold + job.options.report_delay)} ms",
        }
    descriptor = TableDescriptor.for_connector("kafka").schema(schema.build()).format("raw")
    for key, value in options.items():
        descriptor = descriptor.option(key, value)
    tables.create_temporary_table(f"`{name}`", descriptor.build())
    stream = tables.to_data_stream(tables.from_path(f"`{name}`"))
    _fix_uids(stream, f"source-{name}")
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
    return _timeless(stream, "ticks")


def _timeless(stream: DataStream, name: str) -> DataStream:
    """The stream, idle from the first on: it holds no other stream back, whatever comes later."""
    idle = WatermarkStrategy.no_watermarks().with_idleness(Duration.of_millis(1))
    return stream.assign_timestamps_and_watermarks(idle).uid(f"{name}-idle")


def _interval(duration: Microseconds) -> str:
    """A duration of whole milliseconds as SQL has it."""
    seconds, milliseconds = divmod(to_ms(duration), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"INTERVAL '{days} {hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}' DAY TO SECOND(3)"


def _sink(stream: DataStream, job: Job, *, topic: str, name: str) -> None:
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
        .set_transactional_id_prefix(f"{job.name}-{name}")
        .set_property("transaction.timeout.ms", str(_TRANSACTION_TIMEOUT_MS))
    )
    for key, value in job.kafka.items():
        sink = sink.set_property(key, value)
    stream.sink_to(sink.build()).name(topic).uid(f"sink-{name}")


def _fix_uids(stream: DataStream, prefix: str) -> None:
    """Name the operators that the Table API made: it leaves them to numbers that change with the plan."""
    waiting, number = [stream._j_data_stream.getTransformation()], 0  # noqa: SLF001 (the only way to it)
    while waiting:
        one = waiting.pop()
        if one.getUid() is None:
            one.setUid(f"{prefix}-{number}")
        number += 1
        waiting.extend(one.getInputs())
