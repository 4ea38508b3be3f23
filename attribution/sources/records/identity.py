"""Flows that are taken once while logs are read: identities of logs without ids, and which records were read before.

Logs repeat themselves: files overlap, a shipper sends again, two logs of one interface write the same rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.number_set import NumberSet
from attribution.core.columnar.types import Bool, UInt64
from attribution.core.identity import CONVERSATION, Identity

#: Identities that are remembered at the most, in some 200 MB. If there are more, the older half of them is forgotten.
REMEMBERED = 1 << 23

#: Two hexadecimal digits for each byte.
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), "V2")
_ID_DIGITS = 16


#: The log has a row for each interface, window, 5-tuple and way. The counts tell apart rows that share these because
#: the log does not show all that differs in them.
BY_INTERFACE = Identity(
    ("observer",),
    (*CONVERSATION, "bytes_sent", "bytes_received", "packets_sent", "packets_received"),
    by_ports=True,
)
#: The log has a row for each node, 5-tuple, way and time.
BY_NODE = BY_INTERFACE


class TakenOnce:
    """Leaves out the flows that were read before; remembers the latest `remembered` identities, or half of them.

    Args:
        remembered: identities that are remembered at the most.
        named: whether flows of a format that has no id for a record get the hash of their identity as `record_id`.
    """

    def __init__(self, *, remembered: int = REMEMBERED, named: bool = False) -> None:
        self._known, self._generation, self._young = NumberSet(), 0, 0
        self._half, self._named = max(1, remembered // 2), named

    def first(self, flows: pa.RecordBatch, identity: Identity) -> pa.RecordBatch:
        """The canonical flows that are no repeats; a flow without an identity never is one."""
        if not flows.num_rows or not identity.is_of(flows):
            return flows
        hashes, known = identity.hashes(flows)
        first = ~known
        first[known] = self._add(hashes[known])
        if self._named and "record_id" not in identity.needs:
            flows = _with_ids(flows, hashes, known)
        return flows if first.all() else flows.filter(pa.array(first))

    def _add(self, hashes: UInt64) -> Bool:
        """Remember identities; which are new. The set holds a young generation of them and the one before."""
        new = self._known.add(hashes, self._generation)
        self._young += int(new.sum())
        if self._young >= self._half:
            self._known.forget(self._generation)
            self._generation, self._young = self._generation + 1, 0
        return new


def _with_ids(flows: pa.RecordBatch, hashes: UInt64, known: Bool) -> pa.RecordBatch:
    """The flows with the hash of their identity, in 16 hexadecimal digits, as `record_id`."""
    digits = _HEX[hashes.astype(">u8").view(np.uint8)].tobytes()
    bounds = np.arange(0, _ID_DIGITS * len(hashes) + 1, _ID_DIGITS, dtype=np.int32)
    ids = pa.StringArray.from_buffers(len(hashes), pa.py_buffer(bounds), pa.py_buffer(digits))
    at = flows.schema.get_field_index("record_id")
    named = pc.if_else(pa.array(known), ids, pa.scalar(None, pa.string()))
    return flows.set_column(at, flows.schema.field(at).with_type(named.type), named)
