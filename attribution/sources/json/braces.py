r"""Where the braces of JSON text stand, outside of its strings.

>>> marks(rb'{"a\"}": {}}').braces.tolist()
[0, 9, 10, 11]
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attribution.core.columnar.types import Bool, Int64


@dataclass(frozen=True)
class Marks:
    """Marks of a text that starts outside of any string.

    Attributes:
        characters: of the text, uint8.
        quotes: places of quotation marks that begin or end strings, ascending.
        braces: places of braces outside of strings, ascending.
        opening: which of the braces open.
        escape_open: whether the text ends behind a backslash that escapes what comes next.
    """

    characters: npt.NDArray[np.uint8]
    quotes: Int64
    braces: Int64
    opening: Bool
    escape_open: bool


def marks(text: bytes) -> Marks:
    """The marks of a text."""
    characters = np.frombuffer(text, np.uint8)
    quote, escape_open = characters == ord('"'), False
    if b"\\" in text:
        escaped = _escaped(characters)
        escape_open = int(escaped[-1]) == len(text)
        quote[escaped[:-1] if escape_open else escaped] = False
    quotes = np.flatnonzero(quote)
    braces = np.flatnonzero((characters == ord("{")) | (characters == ord("}")))
    braces = braces[np.searchsorted(quotes, braces) % 2 == 0]
    return Marks(characters, quotes, braces, characters[braces] == ord("{"), escape_open)


def _escaped(characters: npt.NDArray[np.uint8]) -> Int64:
    r"""The places of what backslashes escape: behind every other backslash of a run.

    Of `\\\"` the first backslash escapes the second and the third escapes the quotation mark: places 1 and 3.
    """
    slashes = np.flatnonzero(characters == ord("\\"))
    begins = np.ones(len(slashes), np.bool_)
    begins[1:] = slashes[1:] != slashes[:-1] + 1
    first = np.maximum.accumulate(np.where(begins, slashes, 0))
    escaped: Int64 = slashes[(slashes - first) % 2 == 0] + 1
    return escaped
