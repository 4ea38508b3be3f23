"""The folder of one Flink cluster: settings, class path and the environment that its scripts need."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from attribution.errors import ClusterError
from attribution.testbed.cluster.jars import jars
from attribution.testbed.cluster.processes import JAVA_HOME

#: For one machine that others use as well. A job, or a caller, may set anything else.
DEFAULTS: Final[Mapping[str, str]] = {
    "jobmanager.memory.process.size": "1024m",
    "taskmanager.memory.process.size": "2048m",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    # A job that cannot run ends and says why; one that has run for a while since it failed may fail as often again.
    "restart-strategy.type": "exponential-delay",
    "restart-strategy.exponential-delay.attempts-before-reset-backoff": "10",
    "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
    # A process that was killed is noticed after 20 s, not 50.
    "heartbeat.interval": "3000",
    "heartbeat.timeout": "20000",
    "metrics.fetcher.update-interval": "1000",
}
#: The operators' Python: the interpreter that runs this, not whatever `python` is on the PATH.
PYTHON: Final[Mapping[str, str]] = {"python.executable": sys.executable, "python.client.executable": sys.executable}
#: What runs a Python script as a job where there is no command line client.
PYTHON_DRIVER: Final = "org.apache.flink.client.python.PythonDriver"


def flink_home() -> Path:
    """The folder of the installed Flink distribution.

    Raises:
        ClusterError: There is none.
    """
    found = find_spec("pyflink")
    if found is None or found.origin is None:
        raise ClusterError("Flink is not installed in this environment: pip install '.[flink,cluster]'")
    return Path(found.origin).parent


def python_jar() -> Path:
    """The jar of Flink that runs a Python script as a job.

    Raises:
        ClusterError: It is not where this version of Flink has it.
    """
    found = sorted((flink_home() / "opt").glob("flink-python-*.jar"))
    if len(found) != 1:
        raise ClusterError(f"expected one flink-python-*.jar in {flink_home() / 'opt'}, found {len(found)}")
    return found[0]


def prepare(folder: Path, settings: Mapping[str, str]) -> None:
    """Write a cluster's folder: `conf` (Flink's own, with these settings), `lib` (with the connector), `log`, `tmp`."""
    home = flink_home()
    for name in ("conf", "lib", "log", "pid", "tmp", "upload", "checkpoints", "savepoints"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copytree(home / "conf", folder / "conf", dirs_exist_ok=True)
    shipped = _flat(YAML(typ="safe").load((home / "conf" / "config.yaml").read_text(encoding="utf-8")))
    together = {**shipped, **PYTHON, **_folders(folder), **DEFAULTS, **settings}
    lines = [f"{key}: {json.dumps(str(value))}\n" for key, value in together.items()]
    file = folder / "conf" / "config.yaml"
    file.chmod(0o600)  # it may hold secrets
    file.write_text("".join(lines), encoding="utf-8")
    for jar in [*(home / "lib").glob("*.jar"), *jars("connector")]:
        link = folder / "lib" / jar.name
        link.unlink(missing_ok=True)
        link.symlink_to(jar)


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of Flink's scripts, and so of the JobManager, the TaskManagers and their Python processes."""
    return {
        **os.environ,
        "JAVA_HOME": str(JAVA_HOME),
        "FLINK_HOME": str(flink_home()),
        "FLINK_CONF_DIR": str(folder / "conf"),
        "FLINK_LIB_DIR": str(folder / "lib"),
        "FLINK_LOG_DIR": str(folder / "log"),
        "FLINK_PID_DIR": str(folder / "pid"),
        "FLINK_IDENT_STRING": "attribution",
        **more,
    }


def _folders(folder: Path) -> dict[str, str]:
    return {
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (folder / "savepoints").as_uri(),
        "io.tmp.dirs": str(folder / "tmp"),
        "web.upload.dir": str(folder / "upload"),
    }


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested settings as `a.b.c`: a key that stands in both forms would be two settings to Flink."""
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
