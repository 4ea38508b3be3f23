"""Tests of your own feed: messages in, rows out, in one process, with crashes on the way.

`run` takes a list of messages and gives the attributed flows. The messages go through the streaming job's own code:
decoding, validation, buckets, their logs, and what the job writes. `docs/how-to/testing.md` has examples, and says what
this does not cover.
"""

from attribution.testing.feed import ABORT, CHECKPOINT, Control, Item, Result, Watermark, run, watermark
from attribution.testing.stream import Checkpoint, DeadLetter, EmbeddedStream

__all__ = [
    "ABORT",
    "CHECKPOINT",
    "Checkpoint",
    "Control",
    "DeadLetter",
    "EmbeddedStream",
    "Item",
    "Result",
    "Watermark",
    "run",
    "watermark",
]
