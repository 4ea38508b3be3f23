"""The topics: which record each is for, and what they are called."""

import re

from attribution.errors import ConfigError
from attribution.records import KINDS, Role

#: Record -> topic, without prefix: what the job reads.
INPUT_TOPICS = {kind.name: kind.topic for kind in KINDS if kind.on_topic and kind.role is Role.INPUT}
#: Record -> topic, without prefix: what the job writes.
OUTPUT_TOPICS = {kind.name: kind.topic for kind in KINDS if kind.on_topic and kind.role is Role.OUTPUT}
TOPICS = INPUT_TOPICS | OUTPUT_TOPICS

#: What Kafka takes as a name; 249 characters at most, of which our longest name needs 45.
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,200}")


def topic_of(kind: str, *, prefix: str = "") -> str:
    """Name of the topic for a kind of record.

    Args:
        kind: a key of `TOPICS`.
        prefix: put before the name as it is, so that several systems share a broker: `prod.` makes `prod.flows`.

    Raises:
        ConfigError: the prefix holds characters that no topic may have.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"the topic prefix {prefix!r} does not fit: letters, digits, dot, _ and - are allowed, 200 of them"
        )
    return prefix + TOPICS[kind]


def to_region(peer: str, *, prefix: str = "") -> str:
    """Name of the topic with what the job says to the region `peer`."""
    return f"{prefix}to-{peer}"


def from_region(peer: str, *, prefix: str = "") -> str:
    """Name of the topic with what the region `peer` says to the job."""
    return f"{prefix}from-{peer}"
