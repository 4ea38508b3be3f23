"""What questions about the graph ask besides which flows."""

from dataclasses import dataclass
from typing import Annotated

from attribution.query.lake.selection import Option, Selection


@dataclass(frozen=True, kw_only=True)
class GraphSelection(Selection):
    """Flows, and what the graph calls their ends.

    Attributes:
        hostnames: make a node of each hostname that clients used for unattributed addresses, and for those of pools.
    """

    hostnames: Annotated[
        bool,
        Option(
            "--hostnames",
            "Call unattributed ends, and ends at addresses of pools, by the hostname that clients used, if known.",
        ),
    ] = False


#: Every flow, under the names that evidence gives.
EVERY_FLOW = GraphSelection()
