"""The flows of a lake as most questions read them: in a window, with who opened each, and past the filters."""

from typing import Literal

from attribution.query.lake.query import Query

#: What traffic is counted by.
Measure = Literal["flows", "bytes", "packets"]

#: Those that start in the window.
WINDOWED = Query(__package__, "windowed")
#: The same with who opened each.
OPENED = Query(__package__, "opened", standing_on=(WINDOWED,))
#: Of these, the flows that pass the filters.
FILTERED = Query(__package__, "filtered", standing_on=(OPENED,))
