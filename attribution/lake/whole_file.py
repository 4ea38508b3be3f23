"""Writes a file so that a reader sees the old or the new content, whole; what is no plain file is written into."""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attribution.lake.staging import Staged

#: Links that are followed; systems give up at about so many.
_MOST_LINKS = 40
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(path: Path, content: Iterable[bytes]) -> None:
    """Write content to what a path names.

    - A plain file appears when it is whole. Its mode, owner and extended attributes stay; a new file takes the umask.
    - A link is followed, also if nothing is at its end yet. It stays.
    - A device, a pipe, a socket and a descriptor of this process (`/dev/stdout`) are written into.
    - A file is written in place if it has several names, its folder takes no new file, or its owner cannot be kept.

    Raises:
        OSError: it cannot be written.
    """
    target = _followed(path)
    if isinstance(target, int):
        _write_into(os.dup(target), content)
        return
    found = _found(target)
    if found is None:
        _replace(target, None, content)
    elif stat.S_ISSOCK(found.st_mode):
        with socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(target))
            _write_into(os.dup(connected.fileno()), content)
    elif not stat.S_ISREG(found.st_mode) or not _is_replaceable(target, found):
        flags = os.O_TRUNC if stat.S_ISREG(found.st_mode) else 0
        _write_into(os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | flags), content)
    else:
        _replace(target, found, content)


def check_writable(path: Path) -> None:
    """Find out before any work whether `write_whole` will be allowed to write; nothing is changed.

    Raises:
        OSError: it will not.
    """
    target = _followed(path)
    if isinstance(target, int):
        os.fstat(target)
        return
    found = _found(target)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise _error(errno.EISDIR, target)
    place = target.parent if found is None else target
    if not place.exists():
        raise _error(errno.ENOENT, place)
    if not os.access(place, os.W_OK):
        raise _error(errno.EACCES, place)


def _followed(path: Path) -> Path | int:
    """Where the links that a path names end; the number of a descriptor if they end at one of this process."""
    given, descriptors = path, {f"/proc/{os.getpid()}/fd", "/dev/fd"}
    for _ in range(_MOST_LINKS):
        folder = Path(os.path.realpath(path.parent))
        if str(folder) in descriptors and path.name.isdigit():
            return int(path.name)
        path = folder / path.name
        if not path.is_symlink():
            # What other processes have open has a link to nowhere, and can be opened all the same.
            found = _found(given)
            return path if found is None or stat.S_ISREG(found.st_mode) else given
        path = folder / path.readlink()
    raise _error(errno.ELOOP, path)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _found(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _is_replaceable(target: Path, found: os.stat_result) -> bool:
    """Whether another file can take its place, which has one name, in a folder that takes files."""
    if not os.access(target, os.W_OK):
        raise _error(errno.EACCES, target)
    return found.st_nlink == 1 and os.access(target.parent, os.W_OK | os.X_OK)


def _replace(target: Path, found: os.stat_result | None, content: Iterable[bytes]) -> None:
    """Write a file beside the target, which then takes its place."""
    mode = 0o666 if found is None else 0o600
    with Staged(target.parent, target.name, lambda path: os.close(os.open(path, _NEW, mode))) as staged:
        opened = os.open(staged.path, os.O_WRONLY | os.O_CLOEXEC)
        if found is not None and not _alike(opened, target, found):
            os.close(opened)
            _write_into(os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_TRUNC), content)
            return
        _write_into(opened, content, sync=True)
        staged.path.replace(target)


def _alike(opened: int, target: Path, found: os.stat_result) -> bool:
    """Give a new file the owner, mode and extended attributes of the target; whether that could be done."""
    made = os.fstat(opened)
    try:
        if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
            os.fchown(opened, found.st_uid, found.st_gid)
        os.fchmod(opened, stat.S_IMODE(found.st_mode))
        names: list[str] = []
        with suppress(OSError, AttributeError):  # no such attributes on this file system, or this system
            names = os.listxattr(target)
        for name in names:
            os.setxattr(opened, name, os.getxattr(target, name))
    except OSError:
        return False
    return True


def _write_into(opened: int, content: Iterable[bytes], *, sync: bool = False) -> None:
    with os.fdopen(opened, "wb") as file:
        file.writelines(content)
        file.flush()
        if sync:
            os.fsync(opened)
