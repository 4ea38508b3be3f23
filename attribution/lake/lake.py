"""The Parquet lake: one folder that is either absent, the previous result, or the whole new one.

Everything is written to a folder beside the lake and takes its place in one step when the run has succeeded, so that
a reader never sees half a result, and a second run into the same folder never mixes with the first.
"""

import errno
import json
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from attribution.errors import LakeError
from attribution.lake.layout import LAKE_FORMAT, MANIFEST, PARQUET_OPTIONS
from attribution.lake.staging import StagedFolder


class StagedLake:
    """A lake under construction; a context manager that leaves nothing behind unless `commit` was called.

    Attributes:
        folder: where to write; on the same file system as the lake.
    """

    def __init__(self, lake: Path) -> None:
        """Make the staging folder beside `lake`.

        Raises:
            LakeError: `lake` exists and is no lake, or its parent cannot be written.
        """
        self._lake = lake
        check_replaceable(lake)
        try:
            self._staged = StagedFolder(lake)
        except OSError as error:
            raise LakeError(f"cannot write a lake at {lake}: {error.strerror or error}") from None
        self.folder = self._staged.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._staged.close()

    def commit(self, manifest: dict[str, Any]) -> None:
        """Write the manifest and put the staged folder in the place of the lake, in one step, all of it on disk."""
        with writing(self._lake):
            text = json.dumps({"format": LAKE_FORMAT, **manifest}, indent=2)
            (self.folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
            self._staged.put()


class writing:  # noqa: N801 - reads as a statement: with writing(lake)
    """Turn errors of the file system inside the block into a `LakeError` that says what to do."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            advice = ""
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                advice = "; free some room or choose another folder. Nothing of this run is left behind"
            raise LakeError(f"cannot write the lake {self._lake}: {error.strerror or error}{advice}") from error


def write_table(table: pa.Table, folder: Path, *, name: str = "part-0.parquet") -> None:
    """Write a table as one file of the lake, `folder/name`; nothing where it has no rows."""
    if table.num_rows:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name, **PARQUET_OPTIONS)


def read_manifest(lake: Path) -> dict[str, Any]:
    """The manifest of a lake.

    Raises:
        LakeError: the folder is no lake, or one of another format.
    """
    path = lake / MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        missing = "no such folder" if not lake.exists() else f"it has no {MANIFEST}"
        raise LakeError(f"{lake} is no lake: {missing}. `attribution replay --out {lake}` makes one") from None
    except OSError as error:
        raise LakeError(f"cannot read {path}: {error.strerror or error}; name a lake that can be read") from None
    except (ValueError, RecursionError) as error:
        raise LakeError(f"cannot read {path}: it is no JSON ({error}); replay the logs into a new folder") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != LAKE_FORMAT:
        raise LakeError(
            f"{lake} is a lake of format {found!r}, this version reads {LAKE_FORMAT}: "
            "read it with the version that wrote it, or replay again"
        )
    for name in ("settings", "summary", "stream"):
        if not isinstance(manifest.get(name, {}), dict):
            raise LakeError(f"cannot read {path}: {name} is no object in it; replay the logs into a new folder")
    return dict(manifest)


def check_partitions(folder: Path, levels: tuple[str, ...]) -> None:
    """Refuse partitions that no run wrote: questions about times would not see their rows.

    Args:
        folder: a folder of a lake.
        levels: the keys of its partitions, from the outside in.

    Raises:
        LakeError: the name of a folder inside of it is no date, or no hour.
    """
    if not levels:
        return
    for part in folder.glob(f"{levels[0]}=*"):
        if not _IS_PARTITION[levels[0]](part.name.partition("=")[2]):
            raise LakeError(
                f"cannot read the lake: {part} is no partition by {levels[0]}; take it away, or replay the logs into a "
                "new folder"
            )
        check_partitions(part, levels[1:])


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_IS_PARTITION = {"date": _is_date, "hour": {f"{hour:02d}" for hour in range(24)}.__contains__}


def check_replaceable(lake: Path) -> None:
    """Refuse to replace anything but a lake: the folder may hold something precious."""
    if lake.is_symlink() or (lake.exists() and not lake.is_dir()):
        raise LakeError(f"cannot write a lake at {lake}: it exists and is no folder; choose another")
    if lake.exists() and any(lake.iterdir()) and not (lake / MANIFEST).exists():
        raise LakeError(
            f"cannot write a lake at {lake}: the folder holds other files (no {MANIFEST}), and a run replaces all of "
            "it; choose an empty or a new folder"
        )


def parquet_writer(path: Path, schema: pa.Schema, **options: object) -> pq.ParquetWriter:
    """An open `pyarrow.parquet.ParquetWriter` of the lake's kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return pq.ParquetWriter(path, schema, **(PARQUET_OPTIONS | options))
