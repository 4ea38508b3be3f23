"""The folder of a lake that is written from topics: its manifest, and the labels that questions look up."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attribution import __version__
from attribution.config import Settings
from attribution.errors import LakeError
from attribution.lake.lake import read_manifest, write_table, writing
from attribution.lake.layout import FOLDERS, LAKE_FORMAT, MANIFEST
from attribution.lake.staging import staged_file, sync
from attribution.schema import LABEL
from attribution.sources import read_labels

_STREAM = "stream"


def open_lake(lake: Path, *, cluster: str, prefix: str, settings: Settings) -> str:
    """Make a lake for topics, or go on with one; the name of its consumer group.

    The group is the folder's own: writers of one folder share the partitions, and writers of two folders do not.

    Args:
        lake: its folder.
        cluster: id of the Kafka cluster. Offsets of another one mean something else.
        prefix: of the topics' names.
        settings: the settings of the job, with which questions are answered.

    Raises:
        LakeError: the folder holds something else, or a lake of other topics or settings.
    """
    wanted = {"cluster": cluster, "topic_prefix": prefix}
    with writing(lake):
        lake.mkdir(parents=True, exist_ok=True)
        if not (lake / MANIFEST).exists():
            _make(lake, {"settings": settings.to_dict(), _STREAM: wanted | {"id": secrets.token_hex(4)}})
    manifest = read_manifest(lake)
    found = manifest.get(_STREAM)
    if not isinstance(found, dict):
        raise LakeError(f"cannot add to the lake {lake}: `attribution replay` wrote it; choose a new folder")
    for name, value in wanted.items():
        if found.get(name) != value:
            raise LakeError(
                f"cannot add to the lake {lake}: it was written from topics with the {name} {found.get(name)!r}, and "
                f"these have {value!r}; choose a new folder"
            )
    settings_then = manifest.get("settings", {})
    for name, value in settings.to_dict().items():
        # A setting that the lake does not name was unknown to the version that made it.
        if settings_then.get(name, value) != value:
            raise LakeError(
                f"cannot add to the lake {lake}: it was written with {name} {settings_then.get(name)!r}, now it "
                f"is {value!r}; give the settings of the job (--config), or choose a new folder"
            )
    return f"attribution-lake-{found['id']}"


def _make(lake: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, unless another writer does so first."""
    strangers = [path.name for path in lake.iterdir() if not path.name.startswith(f".{MANIFEST}.")]
    if strangers and not (lake / MANIFEST).exists():
        raise LakeError(
            f"cannot write a lake at {lake}: the folder holds other files ({min(strangers)}, no {MANIFEST}); choose an "
            "empty or a new folder"
        )
    text = json.dumps({"format": LAKE_FORMAT, "written_by": __version__, **manifest}, indent=2)
    with staged_file(lake / MANIFEST) as own, suppress(FileExistsError):
        own.path.write_text(text + "\n", encoding="utf-8")
        sync(own.path)
        os.link(own.path, lake / MANIFEST)


def write_labels(lake: Path, paths: tuple[str, ...]) -> None:
    """Put the labels of these sources in the place of the lake's labels.

    Raises:
        SourceError: a source cannot be read.
        RejectLimitError: too many rows were rejected.
        LakeError: they cannot be written.
    """
    labels = read_labels(paths)
    with writing(lake):
        if labels.num_rows:
            place = lake / FOLDERS[LABEL] / "labels.parquet"
            place.parent.mkdir(exist_ok=True)
            with staged_file(place) as own:
                write_table(labels, place.parent, name=own.path.name)
                own.path.replace(place)
