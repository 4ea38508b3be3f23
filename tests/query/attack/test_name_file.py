"""The file of names, and the names that a step puts on addresses."""

from dataclasses import replace

import pytest

from attribution.errors import QueryError
from attribution.query.attack.kary_search import Step
from attribution.query.attack.name_file import NameFile, write_assignment


def test_an_assignment_has_a_line_for_each_name_that_is_placed(tmp_path, plan, names):
    step = plan.start.step()
    only = Step((replace(step.parts[0], names=((1, 2), (19, 20))), replace(step.parts[1], names=((2, 3),))), ())
    write_assignment(only, names, tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text().splitlines() == [
        "n01.example 192.0.2.65", "n02.example 192.0.2.66", "n19.example 192.0.2.65",
    ]  # fmt: skip
    with pytest.raises(QueryError, match="choose another file"):
        write_assignment(only, names, tmp_path / "no" / "out.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\nb\n", "line 2 is empty"),
        ("a\n  \nb\n", "line 2 is empty"),
        ("a\nb\nA.\n", "stands there twice"),
        ("a\r\nb\n a", "stands there twice"),
        (None, "cannot read the names"),
    ],
)
def test_a_file_of_names_that_cannot_be_used_says_why(tmp_path, text, message):
    path = tmp_path / "names"
    if text is not None:
        path.write_text(text)
    with pytest.raises(QueryError, match=message):
        NameFile.of(path)


@pytest.mark.parametrize("block", [20, 1 << 22])
def test_a_long_file_of_names_is_counted(tmp_path, monkeypatch, block):
    monkeypatch.setattr("attribution.query.attack.name_file._BLOCK", block)
    path = tmp_path / "names"
    path.write_text("".join(f"{number}.example\n" for number in range(3000)))
    found = NameFile.of(path)
    assert found.names == 3000
    assert list(found.named(((2, 4), (2999, 3000)))) == [(2, "2.example"), (3, "3.example"), (2999, "2999.example")]
    assert list(found.named(((0, 3000),), limit=1)) == [(0, "0.example")]
    assert [number for number, _ in found.named(((7, 40), (41, 43)))] == [*range(7, 40), 41, 42]
    assert list(found.named(())) == []
