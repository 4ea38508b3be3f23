"""How evenly addresses are loaded, and the picture of it: what it shows is what was counted."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.colors import to_rgb

from attribution.cli import cli
from attribution.testbed.lab import LabError
from attribution.testbed.lab.figure import COLOURS, draw, label_of, relative, save
from attribution.testbed.lab.load import SERIES, Load, counted, for_figure, modelled
from attribution.testbed.lab.run import play


def model(name, *, requests, names=1000, clients=500):
    return modelled(replace(for_figure(name), names=names, clients=clients), requests=requests, seed=1)


@pytest.fixture(scope="module")
def loads():
    """The model of each way, and made up counts of real sockets."""
    made = [model(name, requests=40_000) for name in SERIES]
    return [*made, *(replace(one, by="sockets", connections=one.total // (2 + i)) for i, one in enumerate(made))]


def test_the_load_of_static_assignment_differs_by_orders_of_magnitude_and_that_of_a_pool_does_not(loads):
    by_name = {one.scenario: one for one in loads if one.by == "model"}
    assert by_name["static"].ratio is None or by_name["static"].ratio > 1000
    assert by_name["static"].requests[0] > 1000 * max(1, by_name["static"].requests[-1])
    assert by_name["pool-24"].ratio < 2
    assert by_name["one-address"].requests == (40_000,)
    assert {name: len(one.requests) for name, one in by_name.items()} == {
        "static": 1000, "pool-20": 4096, "pool-24": 256, "one-address": 1
    }  # fmt: skip
    assert all(one.total == 40_000 for one in loads)
    # Against chance alone few requests say as much as many: those for one answer come together, and that is all.
    for name in ("pool-20", "pool-24"):
        assert by_name[name].variation < 1.5 * by_name[name].by_chance
    assert by_name["static"].variation > 20 * by_name["static"].by_chance
    assert by_name["one-address"].variation == by_name["one-address"].by_chance == 0


def test_the_load_of_a_larger_pool_is_as_even_where_there_are_requests_enough():
    even = model("pool-20", requests=1_000_000, names=4000, clients=2000)
    assert even.ratio < 2
    assert even.idle == 0


def test_the_load_of_real_sockets_is_what_their_servers_answered():
    outcome = play(replace(for_figure("pool-24"), clients=8, seconds=1.5, names=30), seed=2, dispatch="wildcard")
    load = counted(outcome)
    assert load.total == sum(len(one.requested) for one in outcome.journal.arrivals) > 0
    assert load.connections == len(outcome.journal.arrivals)
    assert load.requests_per_connection == pytest.approx(load.total / load.connections)
    assert len(load.requests) == 256
    assert load.idle == 256 - len({one.local[0] for one in outcome.journal.arrivals})
    assert list(load.requests) == sorted(load.requests, reverse=True)


def test_nothing_is_no_load():
    with pytest.raises(LabError, match="there was no request"):
        model("pool-24", requests=0)


def test_the_picture_shows_every_series_and_what_was_counted(loads):
    figure = draw(loads)
    left, right = figure.axes
    assert left.get_yscale() == "log"
    assert "requests" in left.get_ylabel()
    assert "addresses" in left.get_xlabel()
    assert right.get_xlabel() == "requests per connection"
    lines = {line.get_label(): line for line in left.get_lines()}
    assert list(lines) == [label_of(load) for load in loads]
    assert [text.get_text() for text in left.get_legend().get_texts()] == list(lines)
    for load in loads:
        line = lines[label_of(load)]
        place, share = relative(load)
        shown = dict(zip(line.get_xdata().tolist(), line.get_ydata().tolist(), strict=True))
        expected = dict(zip(place, share, strict=True))
        assert line.get_color() == COLOURS[load.scenario]
        assert all(np.isnan(value) if expected[x] == 0 else value == expected[x] for x, value in shown.items())
        if load.by == "model":
            assert len(shown) == len(load.requests)
        assert share[0] == pytest.approx(load.requests[0] * len(load.requests) / load.total)
    bars = {tick.get_text(): bar.get_width() for tick, bar in zip(right.get_yticklabels(), right.patches, strict=True)}
    assert bars == {SERIES[one.scenario]: one.requests_per_connection for one in loads if one.by == "sockets"}


def test_too_few_requests_to_tell_are_said_and_not_drawn():
    load = Load(scenario="pool-24", by="sockets", requests=(3, *[1] * 255), connections=200)
    assert "258 requests are too few to tell" in label_of(load)
    (line,) = draw([load]).axes[0].get_lines()
    assert len(line.get_xdata()) == 0


def test_the_files_hold_the_picture(loads, tmp_path):
    png, svg = save(draw(loads), tmp_path)
    pixels = matplotlib.image.imread(png)[..., :3]
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 1000
    for colour in COLOURS.values():
        assert (np.abs(pixels - np.array(to_rgb(colour))).max(axis=2) < 0.02).sum() > 100
    assert ET.parse(svg).getroot().tag.endswith("svg")  # noqa: S314 - of our own making


def test_the_command_draws_and_writes_the_numbers(tmp_path):
    arguments = ["--clients", "5", "--seconds", "1", "--model-requests", "2000", "--model-names", "50"]
    done = CliRunner().invoke(cli, ["lab", "load-figure", *arguments, "--out", str(tmp_path), "--format", "json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)
    assert json.loads((tmp_path / "load.json").read_text()) == rows
    assert [(row["scenario"], row["by"]) for row in rows] == [(s, by) for s in SERIES for by in ("model", "sockets")]
    assert all(row["requests"] == 2000 for row in rows if row["by"] == "model")
    assert {path.name for path in tmp_path.iterdir()} == {"load.json", "load.png", "load.svg"}
