"""What is in a topic."""

from confluent_kafka import Consumer, TopicPartition


def messages(servers, topic, **config):
    """Everything in a topic, as lists of messages by partition."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False, **config})
    found = []
    try:
        for partition in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions):
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            found.append([])
            while not found[-1] or found[-1][-1].offset() < end - 1:
                if not end:
                    break
                message = consumer.poll(10)
                assert message is not None, f"{topic} ends at {end}, found {len(found[-1])}"
                assert message.error() is None, message.error()
                found[-1].append(message)
    finally:
        consumer.close()
    return found
