"""What `docker-compose.yml`, the Dockerfile and the manifests in `deploy/` say, read for the tests."""

import re
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


def read(path):
    """The documents of a YAML file."""
    return list(YAML(typ="safe").load_all(path))


(COMPOSE,) = read(ROOT / "docker-compose.yml")
SERVICES = COMPOSE["services"]
(_DEPLOYMENT,) = read(ROOT / "deploy" / "kubernetes" / "job.yaml")
JOB = _DEPLOYMENT["spec"]
DOCKERFILE = (ROOT / "deploy" / "flink.Dockerfile").read_text()


def flink_properties():
    """As the image's entry point reads them: one a line, up to the first colon, without blanks."""
    lines = SERVICES["jobmanager"]["environment"]["FLINK_PROPERTIES"].split("\n")
    return dict("".join(line.split()).split(":", 1) for line in lines if line)


def kafka_properties():
    """As the image makes them of its environment: `KAFKA_LOG_DIRS` is `log.dirs`."""
    environment = SERVICES["kafka"]["environment"].items()
    return {key.removeprefix("KAFKA_").lower().replace("_", "."): str(value) for key, value in environment}


def job_arguments(command):
    """What the Python driver gets: everything from `--python` on."""
    return command[command.index("--python") :]


def commands():
    """Every command of this package that a service or a pod runs."""
    for name, service in SERVICES.items():
        for command in re.findall(r"attribution (.*?)(?: && |$)", _line(service.get("command", []))):
            yield f"docker-compose.yml, {name}", command
    for path in MANIFESTS:
        for manifest in read(path):
            pod = manifest["spec"].get("template", {}).get("spec", {})
            for container in pod.get("containers", []):
                yield path.name, _line(container["command"]).removeprefix("attribution ")


def _line(command):
    return " ".join(command)
