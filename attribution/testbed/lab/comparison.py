"""Compares four ways of giving addresses to names: each on real sockets, and in a model with more requests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from attribution.testbed.lab import LabError
from attribution.testbed.lab.figure import draw, save
from attribution.testbed.lab.load import SERIES, Load, counted, for_figure, modelled
from attribution.testbed.lab.run import play

#: As many clients as the model has: they cost nothing there.
_MODEL_CLIENTS: Final = 2000
#: Few clients that hardly rest load a machine as many do that rest, and wait less for each other.
_PAUSE: Final = 0.1
NUMBERS_FILE: Final = "load.json"


def compare(
    folder: Path, *, clients: int, seconds: float, model_requests: int, model_names: int, seed: int
) -> tuple[list[Load], list[Path]]:
    """Measure the load of addresses for each way, and draw it.

    Returns:
        The loads, for each way that of the model and that of the sockets; and the files of the picture.

    Args:
        folder: Where `load.png`, `load.svg` and `load.json` are written; made if absent.
        clients: Number of clients on real sockets.
        seconds: How long each way is played on real sockets.
        model_requests: Number of requests of each way in the model.
        model_names: Number of names in the model.
        seed: Seed of all random choices.

    Raises:
        LabError: The lab cannot be played, or the folder cannot be written.
    """
    loads = []
    for name in SERIES:
        scenario = replace(for_figure(name), names=model_names, clients=_MODEL_CLIENTS)
        loads.append(modelled(scenario, requests=model_requests, seed=seed))
        real = replace(for_figure(name), clients=clients, seconds=seconds, pause=_PAUSE)
        loads.append(counted(play(real, seed=seed)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers = json.dumps([one.to_dict() for one in loads], indent=2)
        (folder / NUMBERS_FILE).write_text(f"{numbers}\n", encoding="utf-8")
        return loads, save(draw(loads), folder)
    except OSError as error:
        raise LabError(f"cannot write the figure to {folder}: {error.strerror or error}") from error
