"""Which rows of a topic the job takes: those within its pools and its region; the others become dead letters."""

from dataclasses import replace

from attribution.config import Settings
from attribution.schema import POLICY
from attribution.sources.pool_space import OUTSIDE, PoolPrefixes
from attribution.stream.regions.border import Border
from attribution.stream.wire.codec import Decoded
from attribution.stream.wire.dead_letters import Rejected


class Intake:
    """Rejects sound rows that are not this job's to take.

    Args:
        settings: the settings of the rules.
        border: the regions, where there are several; evidence about addresses of others is rejected.
    """

    def __init__(self, settings: Settings, *, border: Border | None = None) -> None:
        self._pools, self._border = PoolPrefixes(settings.pool_prefixes), border

    def own(self, kind: str, decoded: Decoded) -> Decoded:
        """What a message held, its rows that are not this job's among the rejects."""
        batch, rejects = decoded.batch, decoded.rejects
        if self._border is not None:
            batch, foreign = self._border.own(kind, batch)
            rejects = rejects + foreign
        if kind == POLICY:
            batch, beyond = self._pools.own(batch)
            rejects = rejects + ([Rejected(None, OUTSIDE, beyond)] if beyond else [])
        rejected = decoded.rejected_rows + decoded.batch.num_rows - batch.num_rows
        return replace(decoded, batch=batch, rejects=rejects, rejected_rows=rejected)
