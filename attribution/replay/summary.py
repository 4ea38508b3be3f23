"""What a run did: flows by method and reason, what was left out and why, and where the result is."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import MINUTE, SECOND
from attribution.core.addressing.routes import route_between
from attribution.core.columnar.arrays import is_value, microseconds
from attribution.core.question import SIDES
from attribution.core.reasons import METHOD_OF
from attribution.core.unrouted import Unrouted
from attribution.replay.span import Span
from attribution.sources.records.model import Ledger

#: A flow of such a length, µs, may be older than the owner of an address.
LONG_US = 2 * MINUTE
_CONFLICT = pa.scalar("conflict")
#: Routes that are listed, those of the most sides first.
_LISTED_ROUTES = 5


class AnswerCount(TypedDict):
    """How many flows got an answer on one side, for one reason.

    Attributes:
        side: `local` or `remote`.
        method: where the answer came from.
        reason: why there is this answer, or none.
        flows: number of flows.
        share: of all flows, 0 to 1.
    """

    side: str
    method: str
    reason: str
    flows: int
    share: float


class RouteToDeclare(TypedDict):
    """What a route would do that is not declared.

    Attributes:
        route: as the option `--route` and the setting `routes` take it.
        sides: the sides of flows on which it would let the evidence of another network answer.
        named: those of them on which that evidence names somebody.
    """

    route: str
    sides: int
    named: int


class NetworkCount(TypedDict):
    """How many sides of flows networks leave open, and what would name them.

    Attributes:
        other_network, several_networks: sides with this reason.
        unsaid: the `other_network` sides of which the flow does not say the network.
        routes: the routes that would let evidence answer most sides, at the most five.
        more_routes: how many routes more there are.
    """

    other_network: int
    several_networks: int
    unsaid: int
    routes: list[RouteToDeclare]
    more_routes: int


@dataclass
class Tally:
    """Counts of attributed flows.

    Attributes:
        flows: number of flows.
        by_reason: (side, reason) -> flows.
        by_hostname: why there is one hostname or none -> flows.
        unrouted: what routes would do for sides whose evidence is another network's.
        long_conflicts: remote sides in `conflict` of flows that are longer than `LONG_US`.
        rate_unknown: of how many flows the device did not say whether it samples.
        first: earliest start, µs; None without flows.
        last: latest start, µs.
    """

    flows: int = 0
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_hostname: Counter[str] = field(default_factory=Counter)
    unrouted: Unrouted = field(default_factory=Unrouted)
    long_conflicts: int = 0
    rate_unknown: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, attributed: pa.RecordBatch) -> None:
        """Count a batch of `schemas/attributed_flow.avsc`."""
        if attributed.num_rows == 0:
            return
        self.flows += attributed.num_rows
        for side in SIDES:
            for pair in pc.value_counts(attributed.column(f"{side}_reason")):
                self.by_reason[side, str(pair["values"])] += pair["counts"].as_py()
        for pair in pc.value_counts(attributed.column("hostname_reason")):
            self.by_hostname[str(pair["values"])] += pair["counts"].as_py()
        rate = attributed.column("sampling_rate")
        if rate.null_count < len(rate):
            self.rate_unknown += pc.sum(pc.equal(rate, 0)).as_py()
        start = microseconds(attributed.column("start"))
        if self.by_reason["remote", "conflict"]:
            in_conflict = is_value(attributed.column("remote_reason"), _CONFLICT).to_numpy(zero_copy_only=False)
            long = microseconds(attributed.column("end")) - start > LONG_US
            self.long_conflicts += int(np.count_nonzero(in_conflict & long))
        self.first = int(np.min(start, initial=start[0] if self.first is None else self.first))
        self.last = int(np.max(start, initial=start[0] if self.last is None else self.last))


@dataclass(frozen=True)
class Summary:
    """The outcome of a run.

    Attributes:
        lake: the folder written.
        tally: attributed flows.
        ledger: rows read, skipped and rejected.
        ranges: ownership ranges written.
        seconds: wall time.
        slabs: spans of time that the history was cut into; 1 where all evidence fitted into memory.
        span: the flows that were asked for.
        heard_us: the start of the first heartbeat and the end of the last, microseconds; None without heartbeats.
    """

    lake: Path
    tally: Tally
    ledger: Ledger
    ranges: int
    seconds: float
    slabs: int
    heard_us: tuple[int, int] | None
    span: Span = field(default_factory=Span)

    @property
    def rejected(self) -> int:
        """Rows that could not be used."""
        return sum(self.ledger.rejected.values())

    def share_attributed(self, side: str) -> float:
        """Share of flows with a method on that side; 0 without flows."""
        named = sum(
            n for (which, reason), n in self.tally.by_reason.items() if which == side and METHOD_OF[reason] != "none"
        )
        return named / self.tally.flows if self.tally.flows else 0.0

    def rows(self) -> list[AnswerCount]:
        """The table by side, method and reason, largest first."""
        return [
            {
                "side": side,
                "method": METHOD_OF[reason],
                "reason": reason,
                "flows": count,
                "share": count / self.tally.flows,
            }
            for (side, reason), count in sorted(
                self.tally.by_reason.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
            )
        ]

    def networks(self) -> NetworkCount:
        """The sides that networks leave open, and the routes to declare."""
        reasons = self.tally.by_reason
        other, several = (sum(reasons[side, name] for side in SIDES) for name in ("other_network", "several_networks"))
        unrouted = self.tally.unrouted
        # A route has no direction: what it does both ways adds up, under the name of the way that has more sides.
        both_ways: dict[frozenset[str | None], RouteToDeclare] = {}
        for pair in sorted(unrouted.sides, key=lambda pair: (-unrouted.sides[pair], pair[0], pair[1] or "")):
            if (route := route_between(*pair)) is not None:
                one = both_ways.setdefault(frozenset(pair), {"route": route, "sides": 0, "named": 0})
                one["sides"] += unrouted.sides[pair]
                one["named"] += unrouted.named[pair]
        routes = sorted(both_ways.values(), key=lambda one: -one["sides"])
        return {
            "other_network": other,
            "several_networks": several,
            "unsaid": other - unrouted.said,
            "routes": routes[:_LISTED_ROUTES],
            "more_routes": len(routes[_LISTED_ROUTES:]),
        }

    def metrics(self) -> dict[str, int]:
        """What the run counted, by the names that the streaming job's metrics have."""
        answers = {
            f"attributed.{side}.{METHOD_OF[reason]}.{reason}": count
            for (side, reason), count in sorted(self.tally.by_reason.items())
        }
        named = {f"hostname.{reason}": count for reason, count in sorted(self.tally.by_hostname.items())}
        return {"rows_in": sum(self.ledger.rows.values()), "dead_letters": self.rejected, **answers, **named}

    def to_dict(self) -> dict[str, object]:
        """The summary as JSON-ready values; what the manifest keeps."""
        return {
            "flows": self.tally.flows,
            "window": self.span.to_dict(),
            "first": _iso(self.tally.first),
            "last": _iso(self.tally.last),
            "attributed": self.rows(),
            "ownership_ranges": self.ranges,
            **self.ledger.to_dict(),
            "networks": self.networks(),
            "sampling_rate_unknown": self.tally.rate_unknown,
            "metrics": self.metrics(),
            "slabs": self.slabs,
            "seconds": round(self.seconds, 3),
        }


def _iso(microsecond: int | None) -> str | None:
    return None if microsecond is None else datetime.fromtimestamp(microsecond / SECOND, UTC).isoformat()
