"""The files that paths name: files, folders, globs and standard input; and why one cannot be read."""

import errno
import glob
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from attribution.errors import SourceError

#: How a person writes standard input, and how it is named to them.
STDIN = "-"
STDIN_NAME = "<stdin>"


def expand(paths: Iterable[str | Path]) -> list[Path | None]:
    """The files that `paths` name, in order and once each; None stands for standard input. Raises as `open_inputs`."""
    files: dict[str | None, Path | None] = {}
    for given in paths:
        if str(given) == STDIN:
            files.setdefault(None, None)
            continue
        for path in _matches(Path(given)):
            for file in _files_in(path) if os.path.isdir(path) else [path]:  # noqa: PTH112 - it raises nothing
                files.setdefault(os.path.realpath(file), file)
    inputs = list(files.values())
    for found in inputs:
        if found is not None:
            _refuse_unreadable(found)
    return inputs


def found_files(paths: Iterable[str | Path]) -> frozenset[str]:
    """The names of the files of `expand` that no path names: they were found in folders, or match patterns."""
    given = [str(path) for path in paths]
    named = {os.path.realpath(path) for path in given if os.path.lexists(path) and not os.path.isdir(path)}  # noqa: PTH112
    if len(named) == len(given):
        return frozenset()
    return frozenset(str(file) for file in expand(given) if file is not None and os.path.realpath(file) not in named)


def total_bytes(paths: Iterable[str | Path]) -> int | None:
    """Size of all that `paths` name, as stored; None where standard input or a pipe is among it."""
    files = expand(paths)
    try:
        sizes = [file.stat().st_size for file in files if file is not None and file.is_file()]
    except OSError:  # it is gone since: whoever opens it says so
        return None
    return sum(sizes) if len(sizes) == len(files) else None


def _matches(path: Path) -> list[Path]:
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(str(path)):
        raise SourceError(f"cannot read {path}: no such file or folder; check the path")
    matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (Path.glob would match hidden files too)
    found = [match for match in map(Path, sorted(matches)) if _is_content(match.name)]
    if not found:
        raise SourceError(f"cannot read {path}: no file matches the pattern; check it, and the folder it starts from")
    return found


def _files_in(folder: Path) -> list[Path]:
    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_unreadable_folder):
        seen.add(os.path.realpath(parent))
        inside = [name for name in folders if _is_content(name)]
        folders[:] = sorted(name for name in inside if os.path.realpath(Path(parent, name)) not in seen)
        found.extend(Path(parent, name) for name in sorted(names) if _is_content(name))
    files = [path for path in found if _is_file(path)]
    if not files:
        raise SourceError(
            f"cannot read the folder {folder}: there is no file in it "
            "(names that start with . or _ are left out, and so is what is no file)"
        )
    return files


def _is_file(path: Path) -> bool:
    """Whether it is a file: not a pipe, a socket or a device, nor a link to what does not exist."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return False
        raise unreadable(path, error) from None


def _unreadable_folder(error: OSError) -> None:
    raise SourceError(
        f"cannot read the folder {error.filename}: {error.strerror}; make it readable or leave it out"
    ) from None


def _is_content(name: str) -> bool:
    return not name.startswith((".", "_"))


def name_of(path: Path | None) -> str:
    """What a person calls an input of `expand`."""
    return STDIN_NAME if path is None else str(path)


def _refuse_unreadable(path: Path) -> None:
    """Raise a `SourceError` that says why a path cannot be read, and what to do, if it cannot."""
    try:
        path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if path.is_socket():
        raise SourceError(f"cannot read {path}: it is a socket, which has no content; name a file")
    if not os.access(path, os.R_OK):
        raise SourceError(f"cannot read {path}: permission denied; make it readable or leave it out")


def unreadable(path: Path, error: OSError) -> SourceError:
    """The error for a path that cannot be opened."""
    found, advice = error.strerror or str(error), "make it readable or leave it out"
    if path.is_symlink() and error.errno == errno.ENOENT:
        found = f"it is a link to {path.readlink()}, which does not exist"
        advice = "bring back what it points to, or leave the link out"
    elif error.errno == errno.ENOENT:
        found, advice = "no such file or folder", "check the path"
    elif error.errno == errno.ELOOP:
        found, advice = "it is a link that leads back to itself", "make the link anew, or leave it out"
    elif error.errno in (errno.EMFILE, errno.ENFILE):
        advice = "raise the limit of open files (`ulimit -n`)"
    elif error.errno == errno.ESTALE:
        advice = "its server no longer knows it: mount the folder again"
    return SourceError(f"cannot read {path}: {found}; {advice}")
