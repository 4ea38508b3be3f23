"""What an endpoint of a simulated flow can be."""

from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Bool, Int64

#: The system under evaluation, as tables show it; baselines stand beside it by their names.
OURS = "time ranges"


class Kind(IntEnum):
    """What holds an address; the lower-case name is what `truth.parquet` calls it."""

    WORKLOAD = 0
    PORT_OWNER = 1
    LOAD_BALANCER = 2
    LABELLED = 3
    UNLABELLED = 4
    #: Of a remote side, never of a tenure: a workload of the fleet, seen as a translator's address and port.
    TRANSLATED = 5
    #: Of a remote side, never of a tenure: an address that policies hand out.
    POOL = 6


#: Text of each kind, by its number.
KIND_TEXTS = tuple(kind.name.lower() for kind in Kind)


def is_fleet(kinds: Int64) -> Bool:
    """Whether each kind is a workload of the fleet, on an address of its own or on one port of a node's."""
    return np.asarray(kinds <= Kind.PORT_OWNER)
