"""What questions about pools ask besides which flows."""

from dataclasses import dataclass
from typing import Annotated

from attribution.query.lake.selection import Option, Selection, globs


@dataclass(frozen=True, kw_only=True)
class PoolSelection(Selection):
    """Flows at addresses of pools.

    Attributes:
        pools: names of pools, with `*` and `?`; where there are any, addresses of no pool are left out.
    """

    pools: Annotated[tuple[str, ...], Option("--pool", "Only this pool, with * and ?; repeatable.", globs, "GLOB")] = ()


#: Every flow at an address of a pool.
EVERY_FLOW = PoolSelection()
