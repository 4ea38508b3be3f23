"""The one place that knows Kafka's client library: clients that have reached a broker, and errors that say why not.

librdkafka retries for ever and complains on standard error. Here every client is asked for the cluster's metadata
first. What a client complains about is kept, and an error says the last of it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from attribution.errors import BrokerError
from attribution.stream.kafka.client import AdminClient, Client, Consumer, KafkaError, Producer, TopicPartition
from attribution.stream.kafka.settings import READ_COMMITTED, KafkaSettings

#: Seconds to wait for a broker's answer.
ANSWER_S = 15.0

_INSTALL = "pip install 'flow-attribution[kafka]'"
_TRY_S = 1.0
_PAUSE_S = 0.1
_QUIET = {"log_level": 0}

_Client = TypeVar("_Client", bound=Client)


@dataclass(frozen=True)
class TopicState:
    """What a broker says of a topic.

    Attributes:
        partitions: how many it has.
        replicas: of its first partition.
        config: its settings, by name.
    """

    partitions: int
    replicas: int
    config: Mapping[str, str]


class Complaints:
    """Keeps what a client complained about last; its `error_cb`."""

    #: What waiting does not mend.
    _LASTING = ("_AUTHENTICATION", "_SSL")

    def __init__(self) -> None:
        self.last = ""
        self.lasting = False

    def __call__(self, error: KafkaError) -> None:
        """Keep an error, unless it only follows from the one before, which says more."""
        if not self.last or error.name() != "_ALL_BROKERS_DOWN":
            self.last = error.str()
        self.lasting = self.lasting or error.name() in self._LASTING


class Broker:
    """Makes clients for one cluster, and manages its topics.

    Args:
        settings: how to reach it.
        client_id: how clients call themselves in the broker's log.
    """

    def __init__(self, settings: KafkaSettings, *, client_id: str = "attribution") -> None:
        self._library = _library()
        self.servers = settings.bootstrap_servers
        self._config = {**settings.librdkafka(), "client.id": client_id, **_QUIET}
        self._admin_client: AdminClient | None = None
        self.complaints = Complaints()

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turn an error of the library inside the block into one that says what was attempted, and where.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        try:
            yield
        except self._library.KafkaException as error:
            found = error.args[0].str() if error.args else str(error)
            if self.complaints.last and self.complaints.last not in found:
                found = f"{found} ({self.complaints.last})"
            raise BrokerError(
                f"cannot {what} at {self.servers}: {found}; "
                "is the broker up, are address, protocol and credentials right?"
            ) from None

    def cluster_id(self) -> str:
        """The cluster's own name, which no other has."""
        admin = self._admin()
        with self.asking("read the cluster's metadata"):
            return str(admin.list_topics(timeout=ANSWER_S).cluster_id)

    def partitions(self, names: Sequence[str]) -> dict[str, int]:
        """The number of partitions of each of these topics; topics that are not there are left out.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        admin = self._admin()
        with self.asking("read topics"):
            known = admin.list_topics(timeout=ANSWER_S).topics
            return {name: len(known[name].partitions) for name in names if name in known}

    def topics(self, names: Sequence[str]) -> dict[str, TopicState]:
        """The state of each of these topics; topics that are not there are left out.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        admin = self._admin()
        with self.asking("read topics"):
            known = admin.list_topics(timeout=ANSWER_S).topics
            there = [name for name in names if name in known]
            resource = self._library.admin.ConfigResource
            wanted = {name: resource(resource.Type.TOPIC, name) for name in there}
            configs = admin.describe_configs(list(wanted.values()), request_timeout=ANSWER_S) if wanted else {}
            return {
                name: TopicState(
                    len(known[name].partitions),
                    len(known[name].partitions[0].replicas),
                    {key: entry.value for key, entry in configs[wanted[name]].result().items()},
                )
                for name in there
            }

    def create_topic(self, name: str, *, partitions: int, replicas: int, config: Mapping[str, str]) -> bool:
        """Make a topic; false where it was there already.

        Args:
            name: of the topic.
            partitions: how many.
            replicas: -1 for as many as the broker makes by default.
            config: settings of the topic.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        new = self._library.admin.NewTopic(name, partitions, replicas, config=dict(config))
        admin = self._admin()
        with self.asking(f"create the topic {name}"):
            try:
                admin.create_topics([new], operation_timeout=ANSWER_S, request_timeout=ANSWER_S)[name].result()
            except self._library.KafkaException as error:
                if error.args[0].name() == "TOPIC_ALREADY_EXISTS":
                    return False
                raise
        return True

    def wait_for_topics(self, names: Sequence[str]) -> None:
        """Wait until topics that were made can be seen: a broker learns of them a moment after they are made.

        Raises:
            BrokerError: they cannot be seen in time.
        """
        admin = self._admin()
        until = time.monotonic() + ANSWER_S
        while missing := set(names) - set(admin.list_topics(timeout=ANSWER_S).topics):
            if time.monotonic() > until:
                raise BrokerError(
                    f"topics were created at {self.servers} but do not appear: {', '.join(sorted(missing))}"
                )
            time.sleep(_PAUSE_S)

    def producer(self, config: Mapping[str, object]) -> Producer:
        """A `confluent_kafka.Producer` that has reached the broker.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        make: Callable[[dict[str, object]], Producer] = self._library.Producer
        return self._reached(make, config)

    def consumer(self, config: Mapping[str, object]) -> Consumer:
        """A `confluent_kafka.Consumer` that has reached the broker. It reads committed messages, in any `config`.

        Raises:
            BrokerError: the broker could not be reached, or refused.
        """
        make: Callable[[dict[str, object]], Consumer] = self._library.Consumer
        return self._reached(make, {**config, **READ_COMMITTED})

    def topic_partition(self, topic: str, partition: int, offset: int = 0) -> TopicPartition:
        """A `confluent_kafka.TopicPartition`."""
        made: TopicPartition = self._library.TopicPartition(topic, partition, offset)
        return made

    def _admin(self) -> AdminClient:
        if self._admin_client is None:
            make: Callable[[dict[str, object]], AdminClient] = self._library.admin.AdminClient
            self._admin_client = self._reached(make, {})
        return self._admin_client

    def _reached(self, make: Callable[[dict[str, object]], _Client], config: Mapping[str, object]) -> _Client:
        with self.asking("connect to Kafka"):
            client = make({**self._config, **config, "error_cb": self.complaints})
            until = time.monotonic() + ANSWER_S
            while True:
                try:
                    client.list_topics(timeout=_TRY_S)
                except self._library.KafkaException:
                    client.poll(0)  # hands over the complaints
                    if self.complaints.lasting or time.monotonic() > until:
                        raise
                else:
                    return client


def _library() -> ModuleType:
    try:
        import confluent_kafka  # noqa: PLC0415 - the package must load without it
        import confluent_kafka.admin  # noqa: PLC0415
    except ImportError as error:
        raise BrokerError(f"this needs Kafka's client, which is not installed ({error}): {_INSTALL}") from None
    return confluent_kafka
