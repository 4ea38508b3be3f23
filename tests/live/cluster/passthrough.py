"""A job as small as one can be: one Kafka topic, upper-cased by a Python operator, into another, exactly once."""

import argparse

from pyflink.common import Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topics", required=True, help="what the names of both topics begin with")
    parser.add_argument("--run", required=True, help="prefix of the sink's transactions")
    arguments = parser.parse_args()
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(arguments.bootstrap)
        .set_topics(f"{arguments.topics}-in")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .set_property("isolation.level", "read_committed")
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(arguments.bootstrap)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(arguments.run)
        .set_property("transaction.timeout.ms", "60000")
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(f"{arguments.topics}-out")
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .build()
    )
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.enable_checkpointing(500)
    read = environment.from_source(source, WatermarkStrategy.no_watermarks(), "in").uid("in")
    read.map(str.upper, output_type=Types.STRING()).uid("upper").name("upper").sink_to(sink).uid("out").name("out")
    environment.execute("passthrough")


if __name__ == "__main__":
    main()
