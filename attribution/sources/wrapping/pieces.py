r"""Pieces of a text one after the other, in one pass.

>>> text = b'a {1},{2} ]'
>>> joined(text, np.array([2, 6]), np.array([5, 9]))
b'{1}{2}'
"""

import numpy as np
import pyarrow as pa

from attribution.core.columnar.types import Int64


def joined(text: bytes, starts: Int64, ends: Int64) -> bytes:
    """The pieces of the text between each start and its end.

    Args:
        text: less than 2 GiB.
        starts: ascending places, int64.
        ends: of the pieces, each not before its start and not behind the next start.
    """
    if not len(starts):
        return b""
    offsets = np.empty(2 * len(starts), np.int32)
    offsets[0::2], offsets[1::2] = starts, ends
    every = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    # Of all pieces that the places cut the text into, every other is wanted. What is taken lies side by side.
    taken = every.take(pa.array(np.arange(0, len(offsets), 2)))
    data: bytes = taken.buffers()[2].to_pybytes()
    return data
