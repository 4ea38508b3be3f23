"""What the README, the tutorial and the benchmarks' page show is what their commands print, run again here."""

import json
import re
import subprocess
import sys
from pathlib import Path

import one_address
import outputs
import pytest
import sentences

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 450


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory):
    """The folder in which the README's commands ran, the demo's fleet among it, and the README with their outputs."""
    folder = tmp_path_factory.mktemp("readme")
    return folder, outputs.refreshed("README.md", folder)


@pytest.fixture(scope="module", name="story")
def _story(run):
    return one_address.chosen_story(run[0] / "demo")


@pytest.fixture(scope="module", name="evaluation")
def _evaluation(run):
    folder = run[0] / "demo"
    judged = ["--attributed", folder / "lake", "--truth", folder / "fleet" / "truth.parquet", "--format", "json"]
    command = [sys.executable, "-m", "attribution", "evaluate", *map(str, judged)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def test_the_readme_shows_what_its_commands_print(run):
    assert run[1] == README, "run `make docs`"


@pytest.mark.parametrize("page", [page for page in outputs.PAGES if page != "README.md"])
def test_a_page_shows_what_its_commands_print(page, tmp_path):
    assert outputs.refreshed(page, tmp_path) == (ROOT / page).read_text(encoding="utf-8"), "run `make docs`"


def test_the_picture_is_drawn_from_the_fleet_of_the_demo(story):
    assert one_address.PICTURE.read_text(encoding="utf-8") == one_address.draw(story), "run `make figures`"


def test_the_picture_shows_what_the_page_says(story):
    alt = re.search(r"!\[(.*)\]\(docs/figures/one-address\.svg\)", README)[1]
    assert alt == one_address.summary(story)
    named = [flow for flow in story.flows if flow.named]
    assert all(flow.named == flow.truth for flow in named)
    assert {"bridged", "both_ends"} <= {flow.reason for flow in named}
    assert len({span.workload for span in story.ranges}) >= 3
    assert any(flow.event and flow.event != flow.truth for flow in story.flows)


def test_a_range_lies_within_the_time_in_which_its_workload_held_the_address(story):
    second = 1_000_000
    for span in story.ranges:
        assert any(
            held.workload == span.workload
            and held.start_us - second <= span.start_us
            and span.end_us <= held.end_us + second
            for held in story.tenures
        )


def test_the_accuracy_is_that_of_the_evaluation(evaluation):
    ours, latest, _ = evaluation["systems"]
    flows = ours["flows"]
    assert (ours["misattributed"], latest["system"]) == (0, "latest event")
    line = " ".join(re.search(r"^\*\*Accuracy\*\*.*?(?=\n\n)", README, re.MULTILINE | re.DOTALL)[0].split())
    assert f"of {flows:,} flows" in line
    assert f"{ours['correct'] / flows * 100:.1f} % are named and none wrongly" in line
    assert f"the latest event names {latest['misattributed'] / flows * 100:.1f} % wrongly" in line


def rounded(share):
    """As the page has it: two significant digits below one percent."""
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"


def test_the_numbers_beside_event_based_attribution_are_those_of_the_evaluation(evaluation):
    (gateway,) = [row for row in evaluation["clients"] if row["client"] == "gateway"]
    systems = list(gateway["systems"].values())
    labels = {"flows whose other end is named wrongly": "misattributed", "flows left unattributed": "unattributed"}
    lines = {}
    for label, name in labels.items():
        lines[label] = [rounded(counts[name] / gateway["flows"]).replace("%", " %") for counts in systems]
    lines["edges that do not exist"] = [f"{counts['edges_false']} of {counts['edges_claimed']}" for counts in systems]
    for label, cells in lines.items():
        assert f"| {label} | {' | '.join(cells)} |" in (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")


def test_the_prose_of_the_readme_fits_a_screen_or_two():
    """Words of paragraphs, headings, lists, links and the picture's text; not of code, outputs and tables."""
    words = sum(found.words for found in sentences.of_markdown(README) if not found.in_table)
    assert words <= MOST_WORDS


# How a page is compared with an output


PRINTED = ["head", "in 1.5 s (3,000/s)", "", "one", "two", "three", "", "tail  "]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (["old"], ["head", "in 1.5 s (3,000/s)", "", "one", "two", "three", "", "tail"]),
        (["old", "in 9.0 s (1/s)", "…"], ["head", "in 9.0 s (1/s)", "…"]),
        (["…", "two", "old"], ["…", "two", "three"]),
        (["old", "…", "one", "…", "tail"], ["head", "…", "one", "…", "tail"]),
    ],
)
def test_an_output_is_shown_as_shortened_as_the_page_has_it(shown, expected):
    assert outputs.shortened(shown, PRINTED) == expected


@pytest.mark.parametrize("shown", [["head", "…", "gone"], ["…", "tail", "…", "one"]])
def test_a_line_that_the_output_does_not_have_is_an_error(shown):
    with pytest.raises(outputs.OutputError, match="has no line"):
        outputs.shortened(shown, PRINTED)
