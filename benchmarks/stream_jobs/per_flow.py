"""The join as it is usually written in PyFlink: one flow an element, keyed by address, a timer for each."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, SimpleStringSchema, Types
from pyflink.datastream import KeyedCoProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

FIELDS = {
    "flows": "`start` bigint, `end` bigint, local_address string, local_port int, remote_address string, "
    "remote_port int, protocol int, bytes_sent bigint, bytes_received bigint, local_workload string, "
    "local_service string",
    "heartbeats": "address string, workload string, service string, `start` bigint",
}
TABLE = """create table {topic} ({fields},
    seen as to_timestamp_ltz(`start` / 1000, 3), watermark for seen as seen - interval '{delay}' second
) with ('connector' = 'kafka', 'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
    'topic' = '{prefix}json-{topic}', 'scan.startup.mode' = 'earliest-offset',
    'properties.isolation.level' = 'read_committed')"""


class Join(KeyedCoProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Keeps the last owners of an address; a flow waits in state until the watermark has passed it."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state."""
        self._owners = runtime_context.get_state(ValueStateDescriptor("owners", Types.PICKLED_BYTE_ARRAY()))
        self._flows = runtime_context.get_list_state(ListStateDescriptor("flows", Types.PICKLED_BYTE_ARRAY()))

    def process_element1(self, value: Row, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:
        """A flow."""
        self._flows.add(tuple(value)[:-1])
        ctx.timer_service().register_event_time_timer(value[0] // 1000)
        return iter(())

    def process_element2(self, value: Row, ctx: KeyedCoProcessFunction.Context) -> Iterator[Any]:  # noqa: ARG002 (Flink's)
        """A heartbeat: a new owner, or the present one again."""
        owners = self._owners.value() or []
        if not owners or owners[-1][1] != value[1]:
            owners.append((value[3], value[1], value[2]))
            owners.sort()
            self._owners.update(owners[-8:])
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedCoProcessFunction.OnTimerContext) -> Iterator[str]:  # noqa: ARG002
        """The watermark has passed a flow."""
        owners = self._owners.value() or []
        waiting = []
        for flow in self._flows.get():
            if flow[0] // 1000 > timestamp:
                waiting.append(flow)
                continue
            owner = next((owner for owner in reversed(owners) if owner[0] <= flow[0]), (None, None, None))
            yield json.dumps([*flow, owner[1], owner[2]])
        self._flows.update(waiting)


def main() -> None:
    """Submit the join."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--bootstrap-servers", "--prefix", "--delay"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    environment = StreamExecutionEnvironment.get_execution_environment()
    tables = StreamTableEnvironment.create(environment)
    streams = []
    for topic, fields in FIELDS.items():
        tables.execute_sql(
            TABLE.format(
                topic=topic, fields=fields, delay=given.delay, servers=given.bootstrap_servers, prefix=given.prefix
            )
        )
        streams.append(tables.to_data_stream(tables.from_path(topic)))
    flows, heartbeats = streams
    joined = (
        flows.key_by(lambda row: row[4], key_type=Types.STRING())
        .connect(heartbeats.key_by(lambda row: row[0], key_type=Types.STRING()))
        .process(Join(), output_type=Types.STRING())
    )
    serializer = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(f"{given.prefix}json-attributed")
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(given.bootstrap_servers)
        .set_record_serializer(serializer)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(f"{given.prefix}per-flow")
        .set_property("transaction.timeout.ms", "600000")
    )
    joined.sink_to(sink.build())
    environment.execute("per-flow")


main()
