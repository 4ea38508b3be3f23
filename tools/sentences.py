"""Sentences of the documentation, of docstrings and of help texts, and which of them are too long.

    python tools/sentences.py                  # every sentence of more than 30 words, the longest first
    python tools/sentences.py docs/how-to      # those of some files or folders
    python tools/sentences.py --write          # lower the numbers in tools/long_sentences.json to what is there

Some pages and all help texts have no long sentence at all. For the rest a number is committed for each area: it may
only fall. `tests/test_docs.py` holds the project to both.
"""

import argparse
import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from attribution.cli import cli

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "tools" / "long_sentences.json"

#: Words of the longest sentence that is not too long.
LONGEST = 30

#: Pages without a long sentence.
CLEAN_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/design.md",
    "docs/glossary.md",
    "docs/index.md",
    "docs/limits.md",
    "docs/tutorial.md",
    "tests/README.md",
)

#: Area of the committed numbers -> what its files are called. A file belongs to the first area that it fits.
AREAS: Mapping[str, tuple[str, ...]] = {
    "docs/reference": ("docs/reference/*.md",),
    "docs": ("*.md", ".github/**/*.md", "docs/**/*.md", "tests/*.md", "findings/**/*.md"),
    "attribution": ("attribution/**/*.py",),
    "benchmarks": ("benchmarks/**/*.py",),
    "jobs": ("jobs/**/*.py",),
    "tools": ("tools/**/*.py",),
}

#: Words with a full stop that ends no sentence. After `etc.` a capital tells.
ABBREVIATIONS = frozenset({"e.g.", "i.e.", "cf.", "vs.", "resp.", "approx.", "al.", "fig.", "incl.", "etc."})

_FENCE = re.compile(r" *(?:> ?)*(`{3,}|~{3,})")
_ITEM = re.compile(r"(?:[-*+]|\d+[.)]) +")
_SECTION = re.compile(r"(?:Args|Attributes|Examples?|Note|Raises|Returns|Yields):$")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
#: A full stop and what closes after it, or the dot between the items of a list in one line.
_END = re.compile("(?<=[.!?…])[\"'”\N{RIGHT SINGLE QUOTATION MARK})\\]]*\\s+|\\s·\\s+")


@dataclass(frozen=True)
class Sentence:
    """One sentence, or a part of a text that stands alone: a heading, an item of a list, a cell of a table.

    Attributes:
        path: file or command that it is of.
        line: first line of the paragraph that it stands in, counted from 1; 0 for a help text.
        text: the sentence on one line, without markup, each piece of inline code as the word CODE.
        in_table: it is in the cell of a table.
    """

    path: str
    line: int
    text: str
    in_table: bool = False

    @property
    def words(self) -> int:
        """Number of its words. A sign that stands alone, as a dash, is none."""
        return sum(any(letter.isalnum() for letter in word) for word in self.text.split())


def of_markdown(content: str, path: str = "") -> list[Sentence]:
    """Sentences of a Markdown page, without its code."""
    return [
        Sentence(path, number, sentence, in_table)
        for number, block, in_table in _blocks(content.splitlines())
        for sentence in split(block)
    ]


def of_python(content: str, path: str = "") -> list[Sentence]:
    """Sentences of the docstrings of a module."""
    found = []
    for node in ast.walk(ast.parse(content)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if docstring := ast.get_docstring(node):
            first = node.body[0].lineno
            for number, block, in_table in _blocks(_entries_as_items(docstring.splitlines())):
                found += [Sentence(path, first + number - 1, sentence, in_table) for sentence in split(block)]
    return found


def of_help(command: click.Command, path: str) -> list[Sentence]:
    """Sentences of a command's help, of its parameters', and of its subcommands'."""
    # A paragraph after \b is examples, which click shows as they stand.
    help_text = re.sub(
        r"^\x08\n.*?(?:\n\n|\Z)", "\n", inspect.cleandoc(command.help or ""), flags=re.MULTILINE | re.DOTALL
    )
    texts = [help_text, command.epilog or "", command.short_help or ""]
    texts += [getattr(parameter, "help", None) or "" for parameter in command.params]
    found = [Sentence(path, 0, sentence.text) for text in texts for sentence in of_markdown(text)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for verb in command.list_commands(context):
            if subcommand := command.get_command(context, verb):
                found += of_help(subcommand, f"{path} {verb}")
    return found


def of_command_line() -> list[Sentence]:
    """Sentences of all help texts of `attribution`."""
    return of_help(cli, "attribution")


def of_file(path: Path) -> list[Sentence]:
    """Sentences of a Markdown page or of the docstrings of a module."""
    read = of_python if path.suffix == ".py" else of_markdown
    return read(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def split(block: str) -> list[str]:
    """Sentences of one paragraph of Markdown, each on one line and without markup."""
    text = " ".join(_plain(block).split())
    found, start = [], 0
    for end in _END.finditer(text):
        last = text[start : end.start()].split()[-1:] or [""]
        word = last[0].lstrip("\"'“\N{LEFT SINGLE QUOTATION MARK}([").lower()
        goes_on = text[end.end() : end.end() + 1]
        if word in ABBREVIATIONS and not (word == "etc." and goes_on.isupper()):
            continue
        found.append(text[start : end.end()].strip(" ·"))
        start = end.end()
    return [sentence for sentence in [*found, text[start:].strip()] if sentence]


def _plain(block: str) -> str:
    """Text of a paragraph: links as their words, inline code as one word, no emphasis."""
    text = _CODE.sub("CODE", block)
    text = re.sub(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"<(?:https?|mailto):[^>\s]*>|https?://[^\s)\]]*[^\s)\].,;:!?]", "LINK", text)
    text = re.sub(r"</?[A-Za-z][^<>]*>", "", re.sub(r"<br ?/?>", " ", text))
    text = re.sub(r"(?<!\\)\*+|(?<![\w\\])_+|_+(?!\w)", "", text)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|-])", r"\1", text)


def _blocks(lines: Iterable[str]) -> Iterator[tuple[int, str, bool]]:
    """(First line, text, whether it is a cell of a table) of each paragraph, heading, item, definition and cell."""
    block: list[str] = []
    first, fence, in_list, after_blank, in_code = 1, "", False, True, False
    for number, raw in enumerate(_without_comments(lines), 1):
        fenced = _FENCE.match(raw)
        line = re.sub(r"^ *(?!>>>)(?:> ?)+", "", raw).rstrip()
        indent = len(line) - len(line.lstrip())
        text = line.strip()
        # Code stands in a fence, or after a blank line four columns further in. A doctest ends at a blank line.
        indented = indent >= 4 and not in_list and (after_blank or in_code)
        in_code = bool(text) and (indented or text.startswith(">>>") or in_code)
        item = _ITEM.match(text)
        alone = not text or bool(fence or fenced) or in_code or text.startswith("#") or _is_row(text)
        if block and (alone or item or text.startswith(": ")):
            yield first, "\n".join(block), False
            block = []
        after_blank = not text
        if fenced and (not fence or fenced[1].startswith(fence)):
            fence = "" if fence else fenced[1]
        elif fence or in_code or not text or re.match(r"\[[^\]]+\]: *\S+$", text):
            continue
        elif _is_row(text):
            cells = re.split(r"(?<!\\)\|", text.strip("|"))
            if not all(re.fullmatch(r" *:?-+:? *", cell) for cell in cells):
                yield from ((number, cell, True) for cell in cells)
        elif heading := re.match(r"#+ +(.*?)(?: +#+)?$", text):
            yield number, heading[1], False
        elif not re.fullmatch(r"(?:-{3,}|\*{3,}|={3,})", text):
            in_list = bool(item) or (in_list and indent > 0)
            first = number if not block else first
            block.append(text[item.end() :] if item else text.removeprefix(": "))
    if block:
        yield first, "\n".join(block), False


def _is_row(text: str) -> bool:
    return text.startswith("|") and text.endswith("|") and len(text) > 1


def _without_comments(lines: Iterable[str]) -> Iterator[str]:
    """The lines, with those of HTML comments left empty."""
    inside = False
    for line in lines:
        starts = line.lstrip().startswith("<!--")
        yield "" if inside or starts else line
        inside = (inside or starts) and "-->" not in line


def _entries_as_items(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a docstring, with each argument, attribute or error of a section as an item of a list."""
    in_section = False
    for line in lines:
        if _SECTION.match(line):
            in_section = True
            yield ""
        elif in_section and re.match(r" {4}\S", line) and not line.lstrip().startswith((">>>", "...")):
            yield f"- {line.strip()}"
        else:
            in_section = in_section and (not line or line.startswith(" "))
            yield line


def too_long(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Those of more than `LONGEST` words, the longest first."""
    return sorted((one for one in sentences if one.words > LONGEST), key=lambda one: -one.words)


def found_by_area() -> dict[str, list[Sentence]]:
    """Area -> its sentences that are too long."""
    seen = {ROOT / page for page in CLEAN_PAGES}
    found = {}
    for area, patterns in AREAS.items():
        files = sorted({path for pattern in patterns for path in ROOT.glob(pattern)} - seen)
        seen |= set(files)
        found[area] = too_long(sentence for path in files for sentence in of_file(path))
    return found


def slack(number: int) -> int:
    """How far below the committed number an area may be, so that two branches can both lower it and both be merged."""
    return max(5, number // 5)


def main() -> None:
    """List long sentences, or write the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; without any, all of the project")
    parser.add_argument("--write", action="store_true", help="write the numbers that are there now")
    arguments = parser.parse_args()
    if arguments.write:
        numbers = {area: len(sentences) for area, sentences in found_by_area().items()}
        NUMBERS.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
        print(NUMBERS.read_text(encoding="utf-8"), end="")
        return
    if arguments.paths:
        given = [path.resolve() for path in arguments.paths]
        files = [found for path in given for found in ([path] if path.is_file() else sorted(path.rglob("*.[mp][dy]")))]
        sentences = too_long(sentence for path in files for sentence in of_file(path))
    else:
        pages = [sentence for page in CLEAN_PAGES for sentence in of_file(ROOT / page)]
        areas = [sentence for area in found_by_area().values() for sentence in area]
        sentences = too_long([*pages, *of_command_line(), *areas])
    for sentence in sentences:
        print(f"{sentence.path}:{sentence.line}: {sentence.words} words: {sentence.text}")
    print(f"{len(sentences)} sentences have more than {LONGEST} words.")


if __name__ == "__main__":
    main()
