"""What a person gives to inputs on the command line: a value for all, for a kind, or for the files of a path.

| text | gives the value to |
|---|---|
| `VALUE` | all inputs |
| `KIND=VALUE` | the inputs of one kind, by its plural: `heartbeats=east` |
| `PATH=VALUE` | the files of a path, folder or glob pattern among the inputs, whatever their kind: `logs/east=east` |

The last `=` parts the two, so that a path may have more of them. A path comes before a kind, and a kind before all. A
path that is called like a kind is written `./flows`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from attribution.errors import ConfigError, SourceError
from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.sources.input.paths import STDIN_NAME, expand

#: The kinds of inputs by their plurals.
PLURALS = {BY_NAME[kind].plural: kind for kind in INPUT_RECORDS}


class Given:
    """The values of one option, by what they were given to.

    Attributes:
        for_all: the value of all inputs.
        for_kind: kind of record -> the value of the inputs that were given as this kind.
    """

    def __init__(
        self,
        option: str,
        means: str,
        texts: Sequence[str],
        paths: Mapping[str, Sequence[str | Path]],
        check: Callable[[str, str], None],
    ) -> None:
        """Read the texts, and look up the files of the paths in them.

        Args:
            option: as a person writes it: `--network`.
            means: what its values are: `network`.
            texts: as the table above has them.
            paths: the inputs: kind of record -> its paths.
            check: called with each text and the value in it; raises `ConfigError` if the value is none.

        Raises:
            ConfigError: a text is none of the table, names no input, or contradicts another.
            SourceError: an input cannot be found.
        """
        self.for_all: str | None = None
        self.for_kind: dict[str, str] = {}
        self._for_file: dict[str, str] = {}
        self._option, self._means = option, means
        inputs: set[str] | None = None
        for text in texts:
            place, _, value = (part.strip() for part in text.rpartition("="))
            check(text, value)
            kind = PLURALS.get(place.replace("-", "_"))
            if not place:
                self.for_all = self._same(text, self.for_all, value)
            elif kind is not None:
                if not paths.get(kind):
                    raise ConfigError(
                        f"{option} {text}: there are no inputs of {BY_NAME[kind].option}; for what stands among other "
                        f"inputs give their path: PATH={means.upper()}"
                    )
                self.for_kind[kind] = self._same(text, self.for_kind.get(kind), value)
            else:
                if inputs is None:
                    inputs = {_identity(file) for given in paths.values() for file in expand(given)}
                for file in _files(place) & inputs or self._no_input(text, place):
                    self._for_file[file] = self._same(text, self._for_file.get(file), value)

    def __bool__(self) -> bool:
        return bool(self.for_all or self.for_kind or self._for_file)

    def for_file(self, source: str) -> str | None:
        """The value that was given to the path of a source, which is named as `OpenInput.name`."""
        if not self._for_file:
            return None
        return self._for_file.get(_identity(None if source == STDIN_NAME else Path(source)))

    def _same(self, text: str, before: str | None, value: str) -> str:
        """The value, if what it is given to has no other."""
        if before not in (None, value):
            raise ConfigError(
                f"{self._option} {text}: the same input was given the {self._means} {before!r}; "
                f"give it one {self._means}"
            )
        return value

    def _no_input(self, text: str, place: str) -> NoReturn:
        kinds = ", ".join(kind.replace("_", "-") for kind in PLURALS)
        raise ConfigError(
            f"{self._option} {text}: {place} is no file, folder or pattern of an input, and none of the kinds {kinds}; "
            f"name an input as its own option does"
        )


def _files(place: str) -> set[str]:
    try:
        return {_identity(file) for file in expand([place])}
    except SourceError:
        return set()


def _identity(path: Path | None) -> str:
    """One text for each file, however it is named; that of standard input is no path of a file."""
    return STDIN_NAME if path is None else os.path.realpath(path)
