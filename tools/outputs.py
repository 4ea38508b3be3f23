"""The outputs of commands that pages show, from a real run.

    python tools/outputs.py            # run the commands of the pages, and write what they print into the pages
    python tools/outputs.py --check    # write nothing; exit 1 where a page shows something else

A block of shell with a block of text or of Mermaid below it is run, and the block below shows what its last command
prints. A block of JSON below the name of a file is what this file holds when the commands run. A line `…` in an output
stands for lines that are left out. After it the page goes on at the line that the output has, too. Times and speeds of
the run are kept as the page has them.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from demo import make_fleet

ROOT = Path(__file__).resolve().parent.parent

#: Pages whose commands are run, and whether `make demo` comes before.
PAGES = {"README.md": True, "docs/tutorial.md": False, "docs/how-to/networks.md": False}

_SHOWN = re.compile(r"^```sh\n((?:(?!```).*\n)*)```\n\n```(?:text|mermaid)\n((?:(?!```).*\n)*)```$", re.MULTILINE)
_FILE = re.compile(r"^`([\w./-]+\.jsonl)`:\n\n```json\n((?:(?!```).*\n)*)```$", re.MULTILINE)
_LEFT_OUT = "…"
#: What differs from run to run, and is the same for a reader.
_SPEED = re.compile(r"in [\d.]+ m?s \([\d,]+/s\)")


class OutputError(Exception):
    """A page shows what the command does not print."""


def refreshed(page: str, folder: Path) -> str:
    """The page with what its commands print now.

    Args:
        page: path below the checkout.
        folder: an empty folder to run the commands in.

    Raises:
        OutputError: a part after `…` begins with a line that the output does not have.
    """
    if PAGES[page]:
        make_fleet(folder / "demo")
    content = (ROOT / page).read_text(encoding="utf-8")
    for name, lines in _FILE.findall(content):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(lines, encoding="utf-8")
    done, parts = 0, []
    for block in _SHOWN.finditer(content):
        printed = _run(block[1], folder).splitlines()
        try:
            shown = shortened(block[2].splitlines(), printed)
        except OutputError as error:
            raise OutputError(f"{page}: {error}, after:\n{block[1]}") from error
        parts += [content[done : block.start(2)], *(f"{line}\n" for line in shown)]
        done = block.end(2)
    return "".join([*parts, content[done:]])


def shortened(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """As much of an output as a page shows of it.

    Args:
        shown: lines of the page. Without `…` all of the output is shown.
        printed: lines of the output.

    Raises:
        OutputError: a part after `…` begins with a line that is not in the rest of the output.
    """
    lines = [_same(line.rstrip(), shown) for line in printed]
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == _LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) == 1:
        return lines
    at = len(parts[0])
    found = lines[:at]
    for part in parts[1:]:
        found.append(_LEFT_OUT)
        if part and part[0] not in lines[at:]:
            raise OutputError(f"the output has no line {part[0]!r}")
        at = lines.index(part[0], at) if part else at
        found += lines[at : at + len(part)]
        at += len(part)
    return found


def _same(line: str, shown: Sequence[str]) -> str:
    """The line as the page has it, if only its time and speed differ."""
    plain = _SPEED.sub("", line)
    return next((old for old in shown if old != line and _SPEED.sub("", old) == plain), line)


def _run(shell: str, folder: Path) -> str:
    """What the last of these commands prints; all are calls of `attribution`."""
    printed = ""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for line in re.sub(r"\\\n\s*", " ", shell).splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] != "attribution":
            raise OutputError(f"a command whose output is shown is a call of `attribution`, not: {line}")
        command = [sys.executable, "-m", "attribution", *words[1:]]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
        if done.returncode:
            raise OutputError(f"status {done.returncode} of {line}\n{done.stderr}")
        printed = done.stdout
    return printed


def main() -> None:
    """Write the outputs, or compare them with those on the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page differs")
    parser.add_argument("pages", nargs="*", help="pages; without any, all")
    given = parser.parse_args()
    differing = []
    for page in given.pages or PAGES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                content = refreshed(page, Path(folder))
            except OutputError as error:
                sys.exit(f"outputs: {error}")
        if content != (ROOT / page).read_text(encoding="utf-8"):
            differing.append(page)
            if not given.check:
                (ROOT / page).write_text(content, encoding="utf-8")
    print(f"{'differ' if given.check else 'written'}: {', '.join(differing) or 'none'}")
    sys.exit(1 if given.check and differing else 0)


if __name__ == "__main__":
    main()
