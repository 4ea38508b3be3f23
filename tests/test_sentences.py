"""Sentences are told apart as a reader tells them apart, and their words are counted so."""

import click
import pytest
import sentences


def texts(markdown):
    return [sentence.text for sentence in sentences.of_markdown(markdown)]


@pytest.mark.parametrize(
    ("paragraph", "found"),
    [
        ("One. Two? Three! Four", ["One.", "Two?", "Three!", "Four"]),
        ("A line that\ngoes on. And ends.", ["A line that goes on.", "And ends."]),
        ("Some, e.g. this one, i.e. no other, stay. Go.", ["Some, e.g. this one, i.e. no other, stay.", "Go."]),
        ("It is so (cf. Fayed et al. 2021). Go.", ["It is so (cf. Fayed et al. 2021).", "Go."]),
        ("Pods, tasks etc. are held. Pods etc. Then go.", ["Pods, tasks etc. are held.", "Pods etc.", "Then go."]),
        ("In 3.5 s of 10.0.1.21, v2.1 of a.py ran. Go.", ["In 3.5 s of 10.0.1.21, v2.1 of a.py ran.", "Go."]),
        ("(It is so.) He said “go.” And went.", ["(It is so.)", "He said “go.”", "And went."]),
        ("It ends. eBPF agents start small.", ["It ends.", "eBPF agents start small."]),
        ("And so on… Then `lake/` grows.", ["And so on…", "Then CODE grows."]),
        ("Run `make a. B`. `make c` is next.", ["Run CODE.", "CODE is next."]),
        ("A `` `quoted` `` word", ["A CODE word"]),
        ("See [the rules. All](docs/a.md#b). Go.", ["See the rules.", "All.", "Go."]),
        ("See [a (b)](https://x.org/a_(b)) and [c][d].", ["See a (b) and c."]),
        ("![Load. A picture](a.svg)", ["Load.", "A picture"]),
        ("See https://x.org/a.b?c=d. Go <https://y.org>.", ["See LINK.", "Go LINK."]),
        ("A **bold claim.** An *asked* __thing__, max_gap.", ["A bold claim.", "An asked thing, max_gap."]),
        ("First; second: third, a.m. is none.", ["First; second: third, a.m.", "is none."]),
        ("**Use**: [a](b.md) · [c d](d.md) ·\n[e](f.md)", ["Use: a", "c d", "e"]),
        ("A<br>b \\*c\\* <sub>d</sub>.", ["A b *c* d."]),
    ],
)
def test_a_paragraph_is_split_where_its_sentences_end(paragraph, found):
    assert texts(paragraph) == found


def test_headings_items_definitions_and_cells_stand_alone():
    page = """# A heading
A paragraph
- an item
  that goes on
- another
  1. deeper

     with a paragraph of its own

  ```sh
  left out
  ```

  and another
* starred

**Term**
: What it means,
  in two lines.

> quoted
> twice

| head | `a|b` is two |
|---|:-:|
| a \\| b. c | [link](x.md) |

***

[ref]: https://x.org

<!-- left out
     and this -->
After a comment
"""
    found = sentences.of_markdown(page)
    assert [(one.line, one.text, one.in_table) for one in found] == [
        (1, "A heading", False),
        (2, "A paragraph", False),
        (3, "an item that goes on", False),
        (5, "another", False),
        (6, "deeper", False),
        (8, "with a paragraph of its own", False),
        (14, "and another", False),
        (15, "starred", False),
        (17, "Term", False),
        (18, "What it means, in two lines.", False),
        (21, "quoted twice", False),
        (24, "head", True),
        (24, "`a", True),
        (24, "b` is two", True),
        (26, "a | b.", True),
        (26, "c", True),
        (26, "link", True),
        (34, "After a comment", False),
    ]


def test_code_is_no_sentence():
    page = """Text:

    indented code. More

    after an empty line

Then
    a line that goes on, though indented.

~~~text
```
# no heading
~~~

````md
```
still code
```
````
The end.
"""
    assert texts(page) == ["Text:", "Then a line that goes on, though indented.", "The end."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One two-part word/pair, 3 % of 1.5 M", 7),
        ("`attribution replay --flows a` is one", 3),
        ("a → b · c \N{EN DASH} d, [e, f]", 6),
        ("see [`a b` and c](d.md)", 4),
        ("**—**", 0),
    ],
)
def test_words_are_counted_as_a_reader_counts_them(text, words):
    assert sum(sentence.words for sentence in sentences.of_markdown(text)) == words


def test_the_docstrings_of_a_module_are_read():
    module = '''"""Module: its line.

    python code.py

- An item
"""

NOT = """A string. That is no docstring."""


class Held:
    """Rows that wait.

    Attributes:
        flows: the rows
            that wait.
        due_us: when each is due

    After the section.
    """

    def take(self):
        """Take them.

        >>> take()
        1

        Args:
            now: the time. Or later

        Returns:
            Rows.
        """
        def inner():
            """Inner."""

    async def later(self):
        # No docstring.
        """Later."""
'''
    assert sorted((one.line, one.text) for one in sentences.of_python(module)) == [
        (1, "Module: its line."),
        (5, "An item"),
        (12, "Rows that wait."),
        (15, "flows: the rows that wait."),
        (17, "due_us: when each is due"),
        (19, "After the section."),
        (23, "Take them."),
        (29, "Or later"),
        (29, "now: the time."),
        (32, "Rows."),
        (35, "Inner."),
        (39, "Later."),
    ]


def test_help_texts_of_all_commands_and_options_are_read_without_their_examples():
    @click.group(help="A group.")
    def group():
        pass

    @group.command(
        help="A verb.\n\nIts text.\n\n\b\nExamples:\n  group verb. And more\n\n\b\nExit status: 0\n\nThe end."
    )
    @click.option("--option", help="An option. Two")
    @click.option("--bare")
    @click.argument("argument")
    def verb():
        pass

    found = sentences.of_help(group, "group")
    assert [(one.path, one.text) for one in found if one.text != "Show this message and exit."] == [
        ("group", "A group."),
        ("group verb", "A verb."),
        ("group verb", "Its text."),
        ("group verb", "The end."),
        ("group verb", "An option."),
        ("group verb", "Two"),
    ]


def test_the_walk_reaches_the_options_of_verbs_and_of_their_subcommands():
    paths = {sentence.path for sentence in sentences.of_command_line()}
    assert {"attribution", "attribution replay", "attribution agility load", "attribution topics create"} <= paths


def test_the_too_long_are_those_above_thirty_words():
    short, long = " ".join(["word"] * 30), " ".join(["word"] * 31)
    found = sentences.too_long(sentences.of_markdown(f"{short}.\n\n{long}. {long} more."))
    assert [one.words for one in found] == [32, 31]
