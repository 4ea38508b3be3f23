"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the repository.

A recipe is a section of the page. Each of its numbered steps says a place and what to write there, in a block of code:

    New file **PATH**:
    In `PATH`, before `TEXT`:            the first line that holds this text
    In `PATH`, as the last field:        of an Avro schema
    Run `make docs`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("attribution", "schemas", "tools", "docs", "jobs")
_NEW = re.compile(r"New file \*\*([^*]+)\*\*:\n")
_FIELD = re.compile(r"In `([^`]+)`, as the last field:\n")
_BEFORE = re.compile(r"In `([^`]+)`, before `([^`]+)`:\n")
_RUN = re.compile(r"Run `make docs`\.\n")
_BLOCK = re.compile(r"^ *```\w+\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def copied(folder):
    """A copy of what the recipes change and what the package needs to run."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "figures"))
    return folder


def recipe(title, page=None):
    """The text of a recipe."""
    page = page or (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    return found


def follow(text, folder):
    """Do what a recipe says, in a copy; how many steps it has."""
    steps = re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:]
    for step in steps:
        block = _BLOCK.search(step)
        code = textwrap.dedent(block[1]) if block else ""
        if new := _NEW.search(step):
            path = folder / new[1]
            assert not path.exists(), path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
        elif field := _FIELD.search(step):
            path = folder / field[1]
            schema = json.loads(path.read_text(encoding="utf-8"))
            schema["fields"].append(json.loads(code))
            path.write_text(json.dumps(schema), encoding="utf-8")
        elif place := _BEFORE.search(step):
            _insert(folder / place[1], place[2], code)
        else:
            assert _RUN.search(step), f"this step has no form that is known: {step}"
            run(folder, "tools/reference.py")
    return len(steps)


def _insert(path, before, code):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if before in line)
    indent = re.match(r" *", lines[at])[0]
    lines.insert(at, textwrap.indent(code, indent))
    path.write_text("".join(lines), encoding="utf-8")


def run(folder, *arguments, status=0):
    """Run Python on the copy's code; what it printed."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout


def attribution(folder, *arguments, status=0):
    return run(folder, "-m", "attribution", *arguments, status=status)
