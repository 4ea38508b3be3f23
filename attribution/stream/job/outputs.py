"""What the job's operators hand each other: the types of their rows, and the side outputs."""

from pyflink.common import Row, Types
from pyflink.datastream import OutputTag

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
#: Row of key and content, as keyed operators take it: the key of a bucket, and an entry for it.
ENTRY = Types.ROW([Types.INT(), BYTES])
#: (topic, partition, time of a record of it in milliseconds); a tick has no topic.
TIME_OF = Types.TUPLE([Types.STRING(), Types.INT(), Types.LONG()])

#: What an operator yields: an element of its main output, or a side output and an element of that.
Output = Row | bytes | tuple[OutputTag, Row | bytes]

#: Kafka values of rows that were rejected.
DEAD_LETTERS = OutputTag("dead-letters", BYTES)
#: Entries for the stage that attributes local sides.
LOCAL_SIDE = OutputTag("local-side", ENTRY)
#: Rows of `TIME_OF` under the one key of the clock.
TIMES = OutputTag("times", Types.ROW([Types.INT(), TIME_OF]))
#: What `TIMES` has for a tick.
TICK = ("", 0, 0)
#: Kafka values of ownership ranges.
RANGES = OutputTag("ownership-ranges", BYTES)
#: Entries with flows to other regions, for `Ask`.
TO_BORDER = OutputTag("border", ENTRY)
#: Entries with answers of other regions, for `Ask`.
TO_ASK = OutputTag("answers", ENTRY)


def to_peer(peer: str) -> OutputTag:
    """The side output with what goes to a region: Kafka values of questions and answers."""
    return OutputTag(f"to-{peer}", BYTES)
