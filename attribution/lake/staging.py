"""Files and folders that are made beside their place, and take it in one step when they are whole.

What is being made is called `.NAME.TOKEN.partial`. Its maker holds a lock on it, and the system gives the lock back
when the maker's process ends. So if nobody holds the lock, the maker was killed, and the next one to the same place
removes what is left.
"""

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
#: Bytes of a name that go into the name of what is staged for it; file systems allow 255 in all.
_NAME_BYTES = 200
_TRIES = 100

#: Where this process makes or made something that is not to stay.
_staged: set[Path] = set()


class Staged:
    """A file or folder that this process is making, and nobody else removes; gone when it is closed.

    Attributes:
        path: where it is.
    """

    def __init__(self, folder: Path, name: str, make: Callable[[Path], object]) -> None:
        """Make it inside of a folder, and remove what killed runs left there for the same name.

        Args:
            folder: where to make it.
            name: of what is made, which becomes a part of the name here.
            make: makes an empty file or folder at a path where nothing is.

        Raises:
            OSError: it cannot be made there.
        """
        short = os.fsdecode(os.fsencode(name)[:_NAME_BYTES])
        _remove_left(folder, short)
        for _ in range(_TRIES):
            self.path = folder / f".{short}.{secrets.token_hex(4)}.partial"
            try:
                make(self.path)
                self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileExistsError:
                continue
            except FileNotFoundError:
                if not folder.is_dir():
                    raise
                continue  # another run removed it before it was locked
            if _lock(self._lock) is not False and _is_at(self._lock, self.path):
                _staged.add(self.path)
                return
            os.close(self._lock)
        raise FileExistsError(errno.EEXIST, "others remove what is made", str(folder))

    def close(self) -> None:
        """Remove what is at `path`, whatever it is; nothing if it was moved away."""
        _remove(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class StagedFolder(Staged):
    """A folder under construction, beside its place, to which links are followed; its mode is what the umask leaves."""

    def __init__(self, place: Path) -> None:
        """Make it, with the folders above it.

        Raises:
            OSError: it cannot be made.
        """
        self._place = Path(os.path.realpath(place))
        self._place.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(self._place.parent, self._place.name, os.mkdir)

    def put(self) -> None:
        """Put it in its place in one step, on disk before and after; what is there is removed when this is closed.

        Raises:
            OSError: it cannot be written or moved.
        """
        for path in (*self.path.rglob("*"), self.path):
            sync(path)
        if self._place.exists():
            _exchange(self.path, self._place)
        else:
            self.path.rename(self._place)
        sync(self._place.parent)


def staged_file(place: Path) -> Staged:
    """An empty file under construction, beside its place; its mode is what the umask leaves.

    Raises:
        OSError: it cannot be made.
    """
    return Staged(place.parent, place.name, lambda path: path.touch(exist_ok=False))


def scratch(name: str) -> Staged:
    """A folder for what is needed for a while only, in the system's folder for such things; nobody else can read it.

    Raises:
        OSError: it cannot be made.
    """
    return Staged(Path(tempfile.gettempdir()), name, lambda path: path.mkdir(mode=0o700))


def remove_all() -> None:
    """Remove what this process was making; for the end of a process whose threads may still be writing.

    A thread may make a folder again that was removed.
    """
    for _ in range(3):
        for path in list(_staged):
            _remove(path)


def sync(path: Path) -> None:
    """Have a file or a folder on disk.

    Raises:
        OSError: it cannot be written.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _remove_left(folder: Path, name: str) -> None:
    """Remove what runs that were killed left in a folder for a name."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]+\.partial")
    with suppress(OSError), os.scandir(folder) as found:
        for left in [Path(entry.path) for entry in found if pattern.fullmatch(entry.name)]:
            with suppress(OSError):
                opened = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    if _lock(opened):
                        _remove(left)
                finally:
                    os.close(opened)


def _lock(opened: int) -> bool | None:
    """Whether the lock is ours now; None if this file system has no locks."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(opened: int, path: Path) -> bool:
    """Whether what was opened is still what stands at the path."""
    try:
        return os.path.samestat(os.fstat(opened), path.lstat())
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders in one step where the system can (Linux), in two renames elsewhere."""
    renameat2: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        paths = os.fsencode(one), os.fsencode(other)
        if renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
    aside = one.with_name(one.name + ".previous")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        with suppress(OSError):
            aside.rename(other)
        raise
    shutil.rmtree(aside, ignore_errors=True)
