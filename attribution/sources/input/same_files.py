"""Tells files with the same content: copies, hard links, and files of which one is compressed.

Files that differ in their first 64 KiB are told apart by these, which are read in any case. Only if these agree, both
files are read whole for a digest.
"""

import hashlib
from pathlib import Path

from attribution.sources.input.decompression import DamagedError, decompressed
from attribution.sources.input.opening import HEAD_BYTES, OpenInput

_DIGEST_BYTES = 32


class SameFiles:
    """The files that were read, by their decompressed content."""

    def __init__(self) -> None:
        self._files: dict[tuple[bytes, str | None, int | None, object], list[_File]] = {}

    def before(self, source: OpenInput, read_as: object = None) -> str | None:
        """The name of a file before this one that has its content; None if there is none.

        The same content given to two networks is what two networks said. The same content seen at two times was seen
        twice. The same content read in two ways (`read_as`), as by two mappings, tells two things. Standard input and
        pipes can be read once only, so they are never compared. Damaged content is never the same.
        """
        path = source.file
        if path is None or source.damage is not None:
            return None
        head = source.head()
        found = _File(source.name, path, whole=len(head) < HEAD_BYTES)
        beginning = hashlib.blake2b(head, digest_size=_DIGEST_BYTES).digest()
        alike = self._files.setdefault((beginning, source.network, source.seen_at, read_as), [])
        for other in alike:
            if found.has_content_of(other):
                return other.name
        alike.append(found)
        return None


class _File:
    """A file that was opened.

    Args:
        name: as a person names it.
        path: where it stands.
        whole: whether its beginning, which is that of the files that it is compared with, is all of it.
    """

    def __init__(self, name: str, path: Path, *, whole: bool) -> None:
        self.name = name
        self._path, self._whole = path, whole
        self._digest: bytes | None = None

    def has_content_of(self, other: "_File") -> bool:
        if self._whole or other._whole:  # noqa: SLF001 - of its own class
            return self._whole and other._whole  # noqa: SLF001
        digest = self.digest()
        return bool(digest) and digest == other.digest()

    def digest(self) -> bytes:
        """A digest of the decompressed content; of no bytes if it cannot be read to its end."""
        if self._digest is None:
            self._digest = _digest(self._path)
        return self._digest


def _digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    try:
        with path.open("rb") as file:
            for chunk in decompressed(file.read):
                digest.update(chunk)
    except (OSError, DamagedError):
        return b""
    return digest.digest()
