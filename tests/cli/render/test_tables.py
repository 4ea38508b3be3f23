"""Tables as lines of text: widths, wrapping, numbers."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from attribution.cli.render.output import Column, Section
from attribution.cli.render.tables import Kind, lay_out

WIDE = [Column(name="name"), Column(name="more", rank=1), Column(name="most", rank=2)]

PROSE = [Column(name="name", kind="prose"), Column(name="more")]

ROWS = [{"name": "n" * 30, "more": "m" * 40, "most": "x" * 50}]


def rendered(width):
    lines = [line.text for line in lay_out([Section(columns=WIDE, rows=ROWS)], width)]
    assert all(len(line) <= width for line in lines)
    return "\n".join(lines)


def test_a_narrow_terminal_leaves_out_columns_and_says_which():
    assert "x" * 50 in rendered(140)
    assert "left out" not in rendered(140)
    narrow = rendered(80)
    assert "m" * 40 in narrow
    assert "x" * 50 not in narrow
    assert "column left out at this width: most" in " ".join(narrow.split())


def test_what_does_not_fit_is_cut_in_its_middle_and_said():
    text = rendered(20)
    assert "n" * 10 + "…" + "n" * 9 in text.splitlines()
    assert "… stands for what does not fit at this width" in " ".join(text.split())
    assert "…" not in rendered(80)


def test_prose_is_wrapped_and_never_cut():
    columns = [Column(name="name", kind="prose")]
    lines = [line.text for line in lay_out([Section(columns=columns, rows=[{"name": "n" * 30}])], 20)]
    assert "".join(line for line in lines if "nn" in line) == "n" * 30
    assert "…" not in "".join(lines)


def test_of_columns_that_must_be_shown_the_last_give_way():
    names = ("source", "target", "flows", "bytes")
    columns = [Column(name=name, kind="text" if name in names[:2] else "count") for name in names]
    rows = [{"source": "s" * 30, "target": "t" * 30, "flows": 9_000_000, "bytes": 9_000_000}]
    lines = [line.text for line in lay_out([Section(columns=columns, rows=rows)], 40)]
    assert all(cell_len(line) <= 40 for line in lines)
    assert lines[2].endswith("   9,000,000")
    assert "column left out at this width: bytes" in " ".join(lines)


@given(
    st.lists(st.tuples(st.sampled_from(get_args(Kind)[:4]), st.integers(0, 3)), min_size=1, max_size=9),
    st.lists(st.text(max_size=40), min_size=1, max_size=4),
    st.integers(4, 90),
)
def test_no_line_is_wider_than_the_terminal(kinds, texts, width):
    columns = [Column(name=f"column {n}", kind=kind, rank=rank) for n, (kind, rank) in enumerate(kinds)]
    rows = [
        {column.name: len(text) * 10**n if column.kind == "count" else text for n, column in enumerate(columns)}
        for text in texts
    ]
    section = Section(columns=columns, rows=rows, title="A title of the table", note="and more: see --limit")
    assert all(cell_len(line.text) <= width for line in lay_out([section, "a text of several words"], width))


def test_wide_characters_take_two_cells():
    rows = [{"name": "監視" * 20, "more": "x"}]
    lines = [
        line.text
        for line in lay_out([Section(columns=[Column(name="name", kind="prose"), Column(name="more")], rows=rows)], 40)
    ]
    assert all(cell_len(line) <= 40 for line in lines)
    assert "".join(line.split()[0] for line in lines[2:]) == "監視" * 20
    assert lines[2].endswith("   x")


def test_words_are_kept_whole_where_they_can_be():
    rows = [{"name": "a few words that do not fit into one line of it", "more": "x"}]
    lines = [
        line.text
        for line in lay_out([Section(columns=[Column(name="name", kind="prose"), Column(name="more")], rows=rows)], 30)
    ]
    assert [line[:23].strip() for line in lines[2:]] == ["a few words that do not", "fit into one line of it"]


def test_text_that_is_indented_goes_on_where_it_begins():
    parts = ["1. a few words that do not fit into one line", "   - and a list of words below"]
    assert [line.text for line in lay_out(parts, 25)] == [
        "1. a few words that do",
        "   not fit into one line",
        "   - and a list of words",
        "     below",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 9_999_999, "9,999,999"),
        ("count", 12_345_678, "12.3 M"),
        ("bytes", 999, "999 B"),
        ("bytes", 999_600, "1.0 MB"),
        ("bytes", 12_345, "12 kB"),
        ("share", 0.0, "0.0%"),
        ("share", 0.00001, "<0.1%"),
        ("share", 0.9999999, ">99.9%"),
        ("share", 1.0, "100.0%"),
        ("factor", 0.25, "1/4.0"),
        ("factor", 12.4, "12x"),
        ("span", 0, "0s"),
        ("span", 90_061_000_000, "1d 1h"),
        ("span", 60_000_000, "1m"),
        ("span", 1_500, "1.5ms"),
        ("text", None, "-"),
        ("number", 443, "443"),
    ],
)
def test_numbers_are_written_for_people_in_tables_only(kind, value, text):
    assert Column(name="it", kind=kind).cell(value) == text
