"""Topics made as the job needs them, and what is wrong with topics that somebody else made."""

from collections.abc import Iterable
from dataclasses import dataclass

from attribution.config import Microseconds
from attribution.records import CONFIGURATION
from attribution.stream.kafka.broker import Broker, TopicState
from attribution.stream.milliseconds import to_ms
from attribution.stream.topics import TOPICS, from_region, to_region, topic_of
from attribution.stream.wire.codec import LIMIT_BYTES

FOREVER = -1
#: What a message of ours can take, with headers and the batch around it.
_MESSAGE_BYTES = 1_048_588
_LEAST_MESSAGE_BYTES = LIMIT_BYTES + 10_000
#: Record times are event times. How far they may lie in the past is retention's business; but one in the future would
#: make the watermark run ahead of everything, so that all that follows is late: a broker should refuse it.
_BEFORE_MAX_MS = (1 << 63) - 1
_AFTER_MAX_MS = 3_600_000


@dataclass(frozen=True)
class Problem:
    """Something about a topic that loses data or stops the job.

    Attributes:
        topic: name of the topic.
        setting: what is at fault.
        found: as it is.
        wanted: as it must be.
        why: what happens otherwise.
    """

    topic: str
    setting: str
    found: str
    wanted: str
    why: str


def create_topics(
    broker: Broker,
    *,
    prefix: str = "",
    peers: Iterable[str] = (),
    partitions: int = 8,
    replicas: int = -1,
    retention_us: Microseconds = FOREVER,
) -> list[str]:
    """Make the topics that are not there; the names of the new topics.

    Args:
        broker: where.
        prefix: of all names.
        peers: other regions, with whom there are two topics each.
        partitions: of each topic.
        replicas: -1 for as many as the broker makes by default.
        retention_us: how long messages are kept, by their record time; `FOREVER` for a history. Topics of configuration
            keep them forever.

    Raises:
        BrokerError: the broker cannot be reached, or refuses.
        ConfigError: the prefix does not fit.
    """
    config = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(_MESSAGE_BYTES),
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(_BEFORE_MAX_MS),
        "message.timestamp.after.max.ms": str(_AFTER_MAX_MS),
    }
    kept = _kept(TOPICS, prefix, peers, retention_us)
    made = []
    for name, wanted_us in kept.items():
        settings = config | {"retention.ms": str(_ms(wanted_us))}
        if broker.create_topic(name, partitions=partitions, replicas=replicas, config=settings):
            made.append(name)
    broker.wait_for_topics(list(kept))
    return made


def check_topics(
    broker: Broker,
    *,
    prefix: str = "",
    peers: Iterable[str] = (),
    retention_us: Microseconds = FOREVER,
    kinds: Iterable[str] = tuple(TOPICS),
) -> list[Problem]:
    """What is wrong with the topics; nothing where they will do.

    Args:
        broker: where.
        prefix: of all names.
        peers: other regions, with whom there are two topics each.
        retention_us: how long messages must be kept at least; topics of configuration must keep them forever.
        kinds: the records whose topics are looked at.

    Raises:
        BrokerError: the broker cannot be reached, or refuses.
        ConfigError: the prefix does not fit.
    """
    kept = _kept(kinds, prefix, peers, retention_us)
    states = broker.topics(list(kept))
    missing = [
        Problem(name, "topic", "missing", "there", "nothing can be sent or read; `attribution topics create` makes it")
        for name in kept
        if name not in states
    ]
    return missing + [problem for name, state in states.items() for problem in _problems(name, state, kept[name])]


def _kept(
    kinds: Iterable[str], prefix: str, peers: Iterable[str], retention_us: Microseconds
) -> dict[str, Microseconds]:
    """The topics of these kinds and of other regions, and how long each keeps its messages."""
    kept = {topic_of(kind, prefix=prefix): FOREVER if kind in CONFIGURATION else retention_us for kind in kinds}
    return kept | {name(peer, prefix=prefix): retention_us for peer in peers for name in (to_region, from_region)}


def _problems(name: str, state: TopicState, retention_us: Microseconds) -> Iterable[Problem]:
    config = state.config
    if config["cleanup.policy"] != "delete":
        why = "messages have no keys, and compaction removes or refuses them"
        yield Problem(name, "cleanup.policy", config["cleanup.policy"], "delete", why)
    if config["message.timestamp.type"] != "CreateTime":
        why = "the record's time says up to when everything was reported; the broker would replace it by its own"
        yield Problem(name, "message.timestamp.type", config["message.timestamp.type"], "CreateTime", why)
    wanted_ms = _ms(retention_us)
    if not _lasts(int(config["retention.ms"]), wanted_ms):
        why = "messages are deleted by their record time: what is older is gone at once"
        yield Problem(name, "retention.ms", config["retention.ms"], str(wanted_ms), why)
    before_ms = int(config.get("message.timestamp.before.max.ms", _BEFORE_MAX_MS))
    if before_ms != _BEFORE_MAX_MS and (wanted_ms == FOREVER or before_ms < wanted_ms):
        why = "the broker refuses messages with older record times"
        yield Problem(name, "message.timestamp.before.max.ms", str(before_ms), str(_BEFORE_MAX_MS), why)
    if int(config["max.message.bytes"]) < _LEAST_MESSAGE_BYTES:
        why = "the broker refuses our largest messages"
        yield Problem(name, "max.message.bytes", config["max.message.bytes"], str(_MESSAGE_BYTES), why)
    if int(config.get("min.insync.replicas", 1)) > state.replicas:
        why = f"the topic has {state.replicas} replicas, so nothing can be written to it"
        yield Problem(name, "min.insync.replicas", config["min.insync.replicas"], str(state.replicas), why)


def _ms(retention_us: Microseconds) -> int:
    return FOREVER if retention_us == FOREVER else to_ms(retention_us)


def _lasts(found_ms: int, wanted_ms: int) -> bool:
    return found_ms == FOREVER or (wanted_ms != FOREVER and found_ms >= wanted_ms)
