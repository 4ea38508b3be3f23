"""Which routes would let evidence of another network answer, and how many sides it would name.

Example: workload `a` is seen at 10.0.0.1 in the network `west`. Two flows from `east` go there, one an hour later.

>>> from attribution.config import Settings
>>> from attribution.schema import FLOW, HEARTBEAT, arrow_schema
>>> seen = {"address": "10.0.0.1", "network": "west", "workload": "a", "start": 0, "end": 60_000_000}
>>> flow = {"local_address": "10.0.0.2", "local_network": "east", "remote_address": "10.0.0.1", "basis": "connection"}
>>> flows = [flow | {"start": at, "end": at} for at in (30_000_000, 3_600_000_000)]
>>> resolver = Resolver({HEARTBEAT: pa.Table.from_pylist([seen], schema=arrow_schema(HEARTBEAT))}, Settings())
>>> attributed = resolver.attribute(pa.RecordBatch.from_pylist(flows, schema=arrow_schema(FLOW)))
>>> found = unrouted(resolver, attributed)
>>> found.sides, found.named
(Counter({('east', 'west'): 2}), Counter({('east', 'west'): 1}))
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.sockets import asked_sockets
from attribution.core.columnar.arrays import is_value
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int64
from attribution.core.fallback.assignments import AssignmentState
from attribution.core.flow_evidence.ends import at_remote_ends
from attribution.core.question import SIDES, Side
from attribution.core.resolve import Resolver

_OTHER_NETWORK = pa.scalar("other_network")
#: The view and the network of the evidence; None is evidence without a network.
Pair: TypeAlias = tuple[str, str | None]


@dataclass
class Unrouted:
    """What routes would do for sides of flows that nobody was named for, because the evidence is another network's.

    A side counts for each of several networks that have evidence. Each count says what one route does alone.

    Attributes:
        sides: for the pair of networks of each route the sides whose evidence it would let answer.
        named: for each the sides on which that evidence names somebody.
        said: the sides of which the flow says the network.
    """

    sides: Counter[Pair] = field(default_factory=Counter)
    named: Counter[Pair] = field(default_factory=Counter)
    said: int = 0

    def add(self, other: "Unrouted") -> None:
        """Count the sides of other flows, too."""
        self.sides += other.sides
        self.named += other.named
        self.said += other.said


def unrouted(resolver: Resolver, attributed: pa.RecordBatch) -> Unrouted:
    """What routes would do for the sides of a batch that are `other_network`.

    No candidate of such a side has evidence. So with one route more, the evidence of the network that it leads to
    answers, and no other: that evidence is asked again here. Labels, socket rules and `workload_memory` are left out.

    Args:
        resolver: the rules that attributed the flows.
        attributed: as of `Resolver.attribute`.
    """
    found = Unrouted()
    networks = [attributed.column(f"{side}_network") for side in SIDES]
    if all(column.null_count == attributed.num_rows for column in networks):
        return found
    for side in SIDES:
        reason = is_value(attributed.column(f"{side}_reason"), _OTHER_NETWORK).to_numpy(zero_copy_only=False)
        flows = attributed.filter(pa.array(reason))
        flows = at_remote_ends(flows) if side == "remote" else flows
        for part in resolver.ownership.places.parts(flows.num_rows):
            _count(resolver, flows.slice(part.start, part.stop - part.start), side, found)
    return found


def _count(resolver: Resolver, flows: pa.RecordBatch, side: Side, found: Unrouted) -> None:
    """Count one side of flows that are `other_network` there."""
    asked = AskedPlaces.of(flows, side, resolver.settings)
    if asked.network is None:
        return
    found.said += len(asked) - asked.network.null_count
    views = decoded(asked.network)
    for row, network, named in _standing(resolver, flows, side, asked):
        # No route leads from where a log tells that the address is, but to evidence without a network.
        useful = views.is_valid().to_numpy(zero_copy_only=False)[row]
        useful &= ~asked.told[row] | network.is_null().to_numpy(zero_copy_only=False)
        pairs = pa.table({"view": views.take(pa.array(row)), "network": network, "named": named}).filter(useful)
        counts = pairs.group_by(["view", "network"]).aggregate([("named", "count"), ("named", "sum")])
        for counted in counts.to_pylist():
            pair = counted["view"], counted["network"]
            found.sides[pair] += counted["named_count"]
            found.named[pair] += counted["named_sum"]


def _standing(
    resolver: Resolver, flows: pa.RecordBatch, side: Side, asked: AskedPlaces
) -> Iterator[tuple[Int64, pa.StringArray, Bool]]:
    """Networks in which evidence stands: the rows, the networks, and whether the evidence names somebody by itself.

    First by heartbeats; by assignment events the rows that no heartbeat is about.
    """
    question = resolver.question(flows)
    sockets = asked_sockets(flows.column("protocol"), flows.column(f"{side}_port"))
    ownership, events = resolver.ownership, resolver.fallback.assignments
    row, place = ownership.standing(asked, question)
    answers = ownership.ask(place, sockets[row], question.take(row))
    yield row, ownership.places.names_of(place), answers.range >= 0
    rest = np.setdiff1d(np.arange(len(asked)), row)
    row, place = events.standing(asked.take(rest), question.b[rest])
    row = rest[row]
    owned = events.ask_places(place, sockets[row], question.a[row], question.b[row])
    yield row, events.places.names_of(place), owned.state == AssignmentState.ASSIGNED
