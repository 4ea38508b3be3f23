"""The pinned jars: each is fetched once by its Maven coordinate, kept in a cache, and checked by its SHA-256.

`jars.lock.json` holds coordinates and hashes.

    python -m attribution.testbed.cluster.jars lock                  write it anew from versions.py
    python -m attribution.testbed.cluster.jars copy connector DIR    put a set of jars somewhere, as for an image
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jgo.maven import MavenContext

from attribution.errors import ClusterError
from attribution.testbed.cluster import versions

LOCK: Final = Path(__file__).with_name("jars.lock.json")
#: What is resolved for each set of jars.
SETS: Final = {"broker": versions.BROKER, "connector": versions.CONNECTOR}
_TIMEOUT_S = 120


def cache_folder() -> Path:
    """Where jars are kept: ``ATTRIBUTION_JARS``, else `flow-attribution/jars` in the user's cache folder."""
    if chosen := os.environ.get("ATTRIBUTION_JARS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flow-attribution" / "jars"


def jars(name: str, *, lock: Path = LOCK, folder: Path | None = None) -> list[Path]:
    """The files of a set of jars, each verified; fetches those that the cache does not hold.

    Args:
        name: ``broker`` or ``connector``.
        lock: The file with coordinates and hashes.
        folder: The cache, laid out as a Maven repository; may be filled beforehand where no network is.

    Raises:
        ClusterError: A jar cannot be fetched, or is not the one that was locked.
    """
    wanted: dict[str, str] = json.loads(lock.read_text(encoding="utf-8"))[name]
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    maven = MavenContext(repo_cache=folder, timeout=_TIMEOUT_S)
    with _alone(folder):
        return [_jar(maven, coordinate, sha256) for coordinate, sha256 in wanted.items()]


def resolve(coordinates: tuple[str, ...], *, folder: Path | None = None) -> dict[str, str]:
    """Resolve coordinates with what they need at run time: coordinate -> SHA-256 of its jar, in class path order.

    Without the `!` jgo takes the versions that one of the coordinates manages for all of them. The broker then gets an
    older kafka-clients, which log4j's build happens to name.
    """
    maven = MavenContext(repo_cache=folder or cache_folder(), timeout=_TIMEOUT_S)
    given, needed = maven.resolver.resolve([maven.create_dependency(f"{coordinate}!") for coordinate in coordinates])
    artifacts = [
        dependency.artifact for dependency in [*given, *needed] if dependency.scope in (None, "compile", "runtime")
    ]
    return {
        f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}": _sha256(Path(artifact.resolve()))
        for artifact in artifacts
    }


def write_lock(lock: Path = LOCK) -> None:
    """Write the lock file anew from `versions.py`. Review the difference: from then on these hashes are trusted."""
    resolved = {name: resolve(coordinates) for name, coordinates in SETS.items()}
    lock.write_text(json.dumps(resolved, indent=2) + "\n", encoding="utf-8")


def _jar(maven: MavenContext, coordinate: str, sha256: str) -> Path:
    group, artifact, version = coordinate.split(":")
    file = Path(maven.repo_cache, *group.split("."), artifact, version, f"{artifact}-{version}.jar")
    if file.exists() and _sha256(file) == sha256:
        return file
    # Half a download of a process that was killed, or something else: what the lock names is fetched once more.
    file.unlink(missing_ok=True)
    try:
        maven.project(group, artifact).at_version(version).artifact().resolve()
    except Exception as error:  # jgo passes on whatever its HTTP client raises
        raise ClusterError(
            f"cannot fetch {coordinate} into {maven.repo_cache}: {error}. Check the network, or put the file there "
            "(the folder is a Maven repository; ATTRIBUTION_JARS names another)"
        ) from error
    found = _sha256(file)
    if found != sha256:
        file.unlink()
        raise ClusterError(
            f"{coordinate} is not the jar that was locked: SHA-256 {found}, expected {sha256}. Do not run it. Where "
            "the version was changed on purpose, write the lock anew: python -m attribution.testbed.cluster.jars lock"
        )
    return file


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time fill the cache: tests run in several."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("lock")
    copy = verbs.add_parser("copy")
    copy.add_argument("set", choices=SETS)
    copy.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if given.verb == "lock":
        write_lock()
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    for file in jars(given.set):
        shutil.copy(file, given.folder)


if __name__ == "__main__":
    main()
