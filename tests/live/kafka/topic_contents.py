"""What is in a topic."""

from confluent_kafka import Consumer, KafkaError, TopicPartition


def messages(servers, topic, **config):
    """Everything committed in a topic, as lists of messages by partition."""
    ends = {"enable.auto.commit": False, "enable.partition.eof": True, "isolation.level": "read_committed"}
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", **ends, **config})
    found = []
    try:
        for partition in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions):
            consumer.assign([TopicPartition(topic, partition, 0)])
            found.append([])
            while True:
                message = consumer.poll(10)
                assert message is not None, f"{topic} {partition} has no end behind {len(found[-1])} messages"
                # Not the last offset: that may be the mark of a transaction, which is no message.
                if message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF:
                    break
                assert message.error() is None, message.error()
                found[-1].append(message)
    finally:
        consumer.close()
    return found
