"""The commands to run next, at the end of a verb: what is printed works when it is pasted."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from attribution.cli.render.tables import Verbatim
from attribution.records import INPUT_RECORDS, KINDS

#: A command that is longer is broken into lines, where a shell allows it: a terminal would break it anywhere.
_ONE_LINE = 78
#: What is true of the world in which files of evidence were made.
_SETTINGS_FILE = "settings.toml"


def next_commands(commands: Iterable[Sequence[str]]) -> Verbatim:
    """Commands below a heading, each broken at its options if it is long."""
    return Verbatim("\n".join(["", "Next:", *map(command_line, commands)]))


def command_line(words: Sequence[str]) -> Verbatim:
    """A command, indented, as a shell reads it.

    >>> print(command_line(["attribution", "graph", "my lake"]))
      attribution graph 'my lake'
    """
    quoted = [shlex.quote(word) for word in words]
    line = "  " + " ".join(quoted)
    if len(line) <= _ONE_LINE:
        return Verbatim(line)
    # An option and its value stay on one line.
    pairs = [" ".join(quoted[at : at + 2]) for at in range(0, len(quoted), 2)]
    return Verbatim("  " + " \\\n      ".join(pairs))


def lake_beside(folder: Path) -> Path:
    """Where the lake of a folder of logs and evidence goes: beside the folder, under a name of its own."""
    return folder.with_name(f"{folder.name}-lake")


def replay_of(folder: Path, files: Iterable[str]) -> list[str]:
    """The words of the replay of a folder that a simulation or the lab has written.

    Args:
        folder: that of the files.
        files: their names; each is given for the kind of record that it is named for, others are left out.
    """
    options = {kind.plural: kind.plural.replace("_", "-") for kind in KINDS if kind.name in INPUT_RECORDS}
    given: dict[str, str] = {}
    for file in files:
        option = options.get(file.partition(".")[0])
        if option is not None:
            given.setdefault(f"--{option}", str(folder / file))
    if (folder / _SETTINGS_FILE).is_file():
        given = {"--config": str(folder / _SETTINGS_FILE)} | given
    words = [word for option in given.items() for word in option]
    return ["attribution", "replay", *words, "--out", str(lake_beside(folder))]


def evaluation_of(folder: Path, truth: str) -> list[str]:
    """The words of the comparison of the lake beside a folder with the truth that is in the folder."""
    return ["attribution", "evaluate", "--attributed", str(lake_beside(folder)), "--truth", str(folder / truth)]
