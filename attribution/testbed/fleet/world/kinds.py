"""What an endpoint of a simulated flow can be."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Bool, Int64


class Kind(IntEnum):
    """What holds an address; the lower-case name is what `truth.parquet` calls it."""

    WORKLOAD = 0
    PORT_OWNER = 1
    LOAD_BALANCER = 2
    LABELLED = 3
    UNLABELLED = 4
    #: Of a remote side, never of a tenure: a workload of the fleet, seen as a translator's address and port.
    TRANSLATED = 5
    #: A socket of an address that policies hand out.
    POOL = 6
    #: Of a remote side, never of a tenure: a workload of the fleet, seen as a port of a node that a balancer passes on.
    NODE_PORT = 7


#: Text of each kind, by its number.
KIND_TEXTS = tuple(kind.name.lower() for kind in Kind)


class Reach(IntEnum):
    """From where the addresses of a service are reached, if there are several networks."""

    #: From its own network; other networks may use the same addresses.
    LOCAL = 0
    #: Also from the networks that a route joins to its own; nobody else there has these addresses.
    ROUTED = 1
    #: As `ROUTED`, and the addresses pass between two networks: they are in one of them at a time.
    FLOATING = 2


def is_fleet(kinds: Int64) -> Bool:
    """Whether each kind is a workload of the fleet, on an address of its own or on one port of a node's."""
    return np.asarray(kinds <= Kind.PORT_OWNER)


@dataclass(frozen=True)
class Endpoints:
    """The services of a fleet and those outside of it, one row a service, before any of them has an address.

    Attributes:
        kind: `Kind` of each service.
        is_job: whether its workloads are short jobs.
        replicas: how many places each service has.
        zone: number of its region or network; -1 outside the fleet.
        reach: `Reach` of each service.
    """

    kind: Int64
    is_job: Bool
    replicas: Int64
    zone: Int64
    reach: Int64

    def __len__(self) -> int:
        return len(self.kind)
