"""The file of names that an attack may be after, and the file that puts names on addresses."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from attribution.errors import QueryError
from attribution.lake.whole_file import write_whole
from attribution.query.attack.kary_search import Names, Step

#: Bytes of names that are read at a time.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class NameFile:
    """A file with a name a line, read as it is needed: twenty million are too many to hold.

    Attributes:
        path: the file.
        names: how many there are.
        digest: SHA-256 of its content.
    """

    path: Path
    names: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file, counted and checked.

        Raises:
            QueryError: it cannot be read, an empty line stands between names, or a name stands there twice.
        """
        digest, hashes, number = hashlib.sha256(), [], 0
        for block in _blocks(path):
            digest.update(block)
            names = _names(block)
            if b"" in names:
                line = number + names.index(b"") + 1
                raise QueryError(f"cannot search among the names of {path}: line {line} is empty; take it out")
            number += len(names)
            hashes.append(np.fromiter(map(hash, names), np.int64, len(names)))
        if number and len(np.unique(np.concatenate(hashes))) < number:
            raise QueryError(f"cannot search among the names of {path}: a name stands there twice; sort -u helps")
        return cls(path, number, digest.hexdigest())

    def named(self, numbers: Names, *, limit: int | None = None) -> Iterator[tuple[int, str]]:
        """Number and name of those numbers, in order."""
        given, at = 0, 0
        left = list(reversed(numbers))
        for block in _blocks(self.path) if left else ():
            names = _names(block)
            while left and left[-1][0] < at + len(names):
                first, end = left.pop()
                here = min(end, at + len(names))
                if here < end:
                    left.append((here, end))
                for number in range(first, here):
                    if given == limit:
                        return
                    given += 1
                    yield number, names[number - at].decode("utf-8", "replace")
            if not left:
                return
            at += len(names)


def write_assignment(step: Step, names: NameFile, path: Path) -> None:
    """Write a line `name address` for each name that a step places, in their order; the file appears when it is whole.

    Raises:
        QueryError: it cannot be written.
    """
    try:
        write_whole(path, (line.encode() for line in _assigned(step, names)))
    except OSError as error:
        raise QueryError(f"cannot write {path}: {error.strerror}; choose another file") from error


def _assigned(step: Step, names: NameFile) -> Iterator[str]:
    where = sorted((first, end, part.address) for part in step.parts for first, end in part.names)
    at = 0
    for number, name in names.named(tuple((first, end) for first, end, _ in where)):
        while number >= where[at][1]:
            at += 1
        yield f"{name} {where[at][2]}\n"


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole lines."""
    try:
        with path.open("rb") as file:
            while lines := file.readlines(_BLOCK):
                yield b"".join(lines)
    except OSError as error:
        raise QueryError(f"cannot read the names {path}: {error.strerror}; give the file with --names") from None


def _names(block: bytes) -> list[bytes]:
    """The names of a block, in lower case, without the final dot: all at once, for there may be millions."""
    text = block.lower().replace(b"\r\n", b"\n")
    text = text if text.endswith(b"\n") else text + b"\n"
    names = text.replace(b".\n", b"\n").split(b"\n")[:-1]
    return [name.strip() for name in names] if b" " in text or b"\t" in text else names
