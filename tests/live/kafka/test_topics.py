"""Topics: made as the job needs them, and what is wrong with those that are not."""

import json

from click.testing import CliRunner
from confluent_kafka.admin import AdminClient, NewTopic

from attribution.cli import cli
from attribution.stream.kafka.topic_setup import FOREVER, check_topics, create_topics
from attribution.stream.topics import TOPICS

DAY = 24 * 3600 * 1_000_000


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


def test_topics_are_made_once_and_will_do(broker, unused):
    made = create_topics(broker, prefix=unused, partitions=2)
    assert made == [unused + name for name in TOPICS.values()]
    assert create_topics(broker, prefix=unused) == []
    assert check_topics(broker, prefix=unused) == []
    state = broker.topics([f"{unused}flows"])[f"{unused}flows"]
    assert (state.partitions, state.replicas, state.config["retention.ms"]) == (2, 1, "-1")


def test_with_each_other_region_there_are_two_topics(broker, unused):
    create_topics(broker, prefix=unused, partitions=1)
    missing = {problem.topic for problem in check_topics(broker, prefix=unused, peers=["east", "west"])}
    assert missing == {unused + name for name in ("to-east", "from-east", "to-west", "from-west")}
    assert set(create_topics(broker, prefix=unused, peers=["east", "west"], partitions=1)) == missing
    assert check_topics(broker, prefix=unused, peers=["east", "west"]) == []


def test_what_loses_data_or_stops_the_job_is_found(broker, real_broker, unused):
    settings = {
        "flows": {"retention.ms": str(DAY // 1000)},
        "heartbeats": {"retention.ms": "-1", "cleanup.policy": "compact", "min.insync.replicas": "2"},
        "assignments": {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime", "max.message.bytes": "100000"},
        "name-bindings": {"retention.ms": "-1", "message.timestamp.before.max.ms": "1000"},
        "policies": {"retention.ms": str(2 * DAY // 1000)},
    }
    admin = AdminClient({"bootstrap.servers": real_broker.bootstrap})
    topics = [NewTopic(unused + name, 1, 1, config=config) for name, config in settings.items()]
    for made in admin.create_topics(topics).values():
        made.result()
    broker.wait_for_topics([unused + name for name in settings])
    problems = check_topics(broker, prefix=unused, retention_us=2 * DAY)
    assert {(p.topic.removeprefix(unused), p.setting, p.found, p.wanted) for p in problems} == {
        ("flows", "retention.ms", "86400000", "172800000"),
        ("heartbeats", "cleanup.policy", "compact", "delete"),
        ("heartbeats", "min.insync.replicas", "2", "1"),
        ("assignments", "message.timestamp.type", "LogAppendTime", "CreateTime"),
        ("assignments", "max.message.bytes", "100000", "1048588"),
        ("name-bindings", "message.timestamp.before.max.ms", "1000", "9223372036854775807"),
        ("policies", "retention.ms", "172800000", "-1"),
        *(
            (name, "topic", "missing", "there")
            for name in ("socket-rules", "attributed-flows", "ownership-ranges", "dead-letters")
        ),
    }
    wanted = {p.setting for p in check_topics(broker, prefix=unused, retention_us=DAY, kinds=["flow"])}
    assert wanted == set()
    (problem,) = check_topics(broker, prefix=unused, retention_us=FOREVER, kinds=["flow"])
    assert (problem.setting, problem.wanted) == ("retention.ms", "-1")


def test_the_command_creates_checks_and_says_so_by_its_exit_status(broker, real_broker, unused):
    place = ("--bootstrap-servers", real_broker.bootstrap, "--topic-prefix", unused)
    result = run("topics", "check", *place, "--format", "json")
    assert result.exit_code == 3
    assert {row["found"] for row in json.loads(result.stdout)} == {"missing"}
    assert run("topics", "create", *place, "--peer", "a b").exit_code == 2
    result = run("topics", "create", *place, "--partitions", 1, "--retention", "7d", "--peer", "east")
    assert result.exit_code == 0
    assert result.stdout.count(f"created {unused}") == len(TOPICS) + 2
    assert run("topics", "check", *place, "--retention", "7d").stdout == "All topics are there and will do.\n"
    states = broker.topics([f"{unused}policies", f"{unused}flows"])
    assert {name: state.config["retention.ms"] for name, state in states.items()} == {
        f"{unused}policies": "-1",
        f"{unused}flows": "604800000",
    }
    result = run("topics", "check", *place)
    assert result.exit_code == 3
    assert "retention.ms" in result.stdout
