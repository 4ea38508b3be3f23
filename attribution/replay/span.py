"""The span of time of which a run attributes flows, though it reads evidence of all times."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from attribution.config import SECOND
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.types import Bool
from attribution.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Span:
    """Flows that start in [since, until), by the time in their record.

    >>> flows = pa.RecordBatch.from_pydict({"start": pa.array([0, 5, 9], pa.timestamp("us", "UTC"))})
    >>> Span(since_us=5, until_us=9).inside(flows).num_rows, Span(since_us=5).outside(flows)
    (1, 1)

    Attributes:
        since_us: microseconds UTC; None for no beginning.
        until_us: likewise; None for no end.

    Raises:
        ConfigError: the span ends at or before its beginning.
    """

    since_us: int | None = None
    until_us: int | None = None

    def __post_init__(self) -> None:
        if self.since_us is not None and self.until_us is not None and self.until_us <= self.since_us:
            raise ConfigError(
                f"no flow starts in the span from {_iso(self.since_us)} to {_iso(self.until_us)}: it ends at or before "
                "its beginning; give a later --until, or an earlier --since"
            )

    def __bool__(self) -> bool:
        return self.since_us is not None or self.until_us is not None

    def inside(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """The flows that start in the span; the batch itself if all do."""
        mask = self._mask(flows) if self else None
        return flows if mask is None or mask.all() else flows.filter(pa.array(mask))

    def outside(self, flows: pa.RecordBatch) -> int:
        """How many flows do not."""
        return flows.num_rows - int(np.count_nonzero(self._mask(flows))) if self else 0

    def _mask(self, flows: pa.RecordBatch) -> Bool:
        start = microseconds(flows.column("start"))
        mask = np.ones(len(start), np.bool_)
        if self.since_us is not None:
            mask &= start >= self.since_us
        if self.until_us is not None:
            mask &= start < self.until_us
        return mask

    def to_dict(self) -> dict[str, str | None]:
        """Both ends as ISO 8601 text, `since` and `until`."""
        return {"since": _iso(self.since_us), "until": _iso(self.until_us)}


def _iso(microsecond: int | None) -> str | None:
    return None if microsecond is None else datetime.fromtimestamp(microsecond / SECOND, UTC).isoformat()
