"""Draws the load of addresses, and the number of requests that a connection carries."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attribution.testbed.lab.load import SERIES, Load

#: Colours that can be told apart by those who see few (Okabe and Ito), one a scenario.
COLOURS: Final = dict(zip(SERIES, ("#D55E00", "#0072B2", "#009E73", "#000000"), strict=True))
_DOTS: Final = 40
#: With fewer requests an address chance alone decides who is busy: not drawn, and said.
_FEWEST: Final = 10


def draw(loads: Sequence[Load]) -> Figure:
    """A figure with two parts: the load of each address, and the requests of a connection.

    In the first part a line shows the model, and dots show counts on real sockets. Both show the requests of each
    address relative to the average address, the busiest first.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    _draw_load(left, loads)
    _draw_connections(right, [load for load in loads if load.requests_per_connection is not None])
    return figure


def save(figure: Figure, folder: Path) -> list[Path]:
    """Write the figure as `load.png` and `load.svg`; returns both paths."""
    paths = [folder / f"load.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    return paths


def label_of(load: Load) -> str:
    """The text of a series in the legend."""
    if len(load.requests) == 1:
        said = "all requests"
    elif not _telling(load):
        said = f"{load.total:,} requests are too few to tell"
    elif load.ratio is None:
        said = f"busiest {load.requests[0]:,}, {load.idle:,} idle"
    else:
        said = (
            f"busiest : least busy = {load.ratio:,.2f}"
            if load.ratio < 100
            else f"busiest : least busy = {load.ratio:,.0f}"
        )
    return f"{SERIES[load.scenario]}, {load.by}: {said}"


def relative(load: Load) -> tuple[list[float], list[float]]:
    """The rank of each address, from 0 (the busiest) to 1, and its requests relative to the average."""
    count = len(load.requests)
    place = [number / (count - 1) if count > 1 else 0.5 for number in range(count)]
    return place, [requests * count / load.total for requests in load.requests]


def _telling(load: Load) -> bool:
    return load.total >= _FEWEST * len(load.requests) or load.scenario == "static"


def _draw_load(axes: Axes, loads: Sequence[Load]) -> None:
    for load in loads:
        place, share = relative(load)
        shown = np.unique(np.linspace(0, len(place) - 1, _DOTS).astype(int))
        every = slice(None) if load.by == "model" else shown if _telling(load) else slice(0, 0)
        style = "-" if load.by == "model" and len(place) > 1 else "o" if load.by == "sockets" else "D"
        # A logarithmic axis has no place for an address without requests: it ends there.
        values = np.where(np.array(share) > 0, share, np.nan)
        axes.plot(
            np.array(place)[every], values[every], style, color=COLOURS[load.scenario], label=label_of(load),
            markersize=4, fillstyle="none",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel("addresses, from the busiest to the least busy")
    axes.set_ylabel("requests, against an average address")
    axes.set_title("Load of addresses")
    axes.set_xticks([0, 0.5, 1], ["busiest", "median", "least busy"])
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=7)


def _draw_connections(axes: Axes, loads: Sequence[Load]) -> None:
    names = [SERIES[load.scenario] for load in loads]
    values = [load.requests_per_connection or 0 for load in loads]
    bars = axes.barh(names, values, color=[COLOURS[load.scenario] for load in loads])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set_xlabel("requests per connection")
    axes.set_title("Connections, on real sockets")
