"""Addresses that flows and other evidence give to workloads of different names at one time."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.core.columnar.hashing import hash_rows
from attribution.inspection.evidence_facts import EvidenceFacts
from attribution.schema import FLOW, HEARTBEAT

#: Workloads that one source may name at an address; an address with more is left out of the comparison.
_NAMES = 20


@dataclass(frozen=True)
class TwoNames:
    """How many addresses both know, and at how many of them they never agree on a name.

    Attributes:
        both: addresses of which flows and heartbeats name a workload at one time.
        differ: those of them at which no name of the one is a name of the other.
    """

    both: int
    differ: int


def two_names(evidence: EvidenceFacts) -> TwoNames:
    """Compare the workloads that flows name with those of the heartbeats, address by address."""
    if FLOW not in evidence.kinds or HEARTBEAT not in evidence.kinds:
        return TwoNames(0, 0)
    seen = [evidence.kinds[kind].sightings for kind in (FLOW, HEARTBEAT)]
    scale = max(sightings.scale for sightings in seen)
    flows, beats = (_named(sightings.table(scale)) for sightings in seen)
    pairs = flows.join(beats, "place", right_suffix="_there", join_type="inner", use_threads=False)
    first, last, first_there, last_there = (
        pairs.column(name).to_numpy() for name in ("first", "last", "first_there", "last_there")
    )
    place = pairs.column("place").to_numpy()
    at_once = (first <= last_there) & (first_there <= last)
    same = pairs.column("name").to_numpy() == pairs.column("name_there").to_numpy()
    both = np.unique(place[at_once])
    differ = np.setdiff1d(both, place[same])
    return TwoNames(len(both) * scale, len(differ) * scale)


def _named(sightings: pa.Table) -> pa.Table:
    """Place and name as hashes, with times, of the places that have few names."""
    place = hash_rows({name: sightings.column(name) for name in ("address", "network")})
    _, which, count = np.unique(place, return_inverse=True, return_counts=True)
    columns = {"place": place, "name": hash_rows({"name": sightings.column("name")})}
    columns |= {name: sightings.column(name) for name in ("first", "last")}
    return pa.table(columns).filter(pa.array(count[which] <= _NAMES))
