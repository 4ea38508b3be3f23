"""Where each setting comes from: an option, an environment variable, a file or its default, the first that says it.

`max_gap` of the table `[attribution]` is the variable `ATTRIBUTION_MAX_GAP`. Values of a list are parted by semicolons.
An empty variable says nothing.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from attribution.config import DURATIONS, Settings, format_duration, read_setting, read_tables
from attribution.errors import ConfigError, near_words, unknown_name

#: What the names of variables begin with, and the one that names the settings file.
PREFIX, CONFIG_VARIABLE = "ATTRIBUTION_", "ATTRIBUTION_CONFIG"
#: What parts the values of a list in a variable.
SEPARATOR = ";"
#: Variables that other tables have, or that are no settings.
_OTHERS = ("ATTRIBUTION_KAFKA_", "ATTRIBUTION_STREAM_", "ATTRIBUTION_JARS", CONFIG_VARIABLE)
#: What Kubernetes gives every container of a service called `attribution`.
_OF_SERVICE = re.compile(r".*_SERVICE_(?:HOST|PORT(?:_\w+)?)|\w*_?PORT(?:_\d+_\w+)?")
#: How like a setting the name of a variable is that is refused, 0 to 1.
_LIKE = 0.8
_NAMES = tuple(field.name for field in fields(Settings))
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Given:
    """A value as it is written, and where.

    Attributes:
        value: as a settings file has it, or text.
        origin: where it stands, as a person names it: `--hold`, `ATTRIBUTION_HOLD`, `rules.toml`.
    """

    value: object
    origin: str


def settings_file(option: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file: that of the option, or else of `ATTRIBUTION_CONFIG`."""
    said = environment.get(CONFIG_VARIABLE)
    return option if option is not None or not said else Path(said)


def given_settings(
    file: Path | None, options: Mapping[str, Given] | None = None, environment: Mapping[str, str] = os.environ
) -> dict[str, Given]:
    """What is given of the settings of the rules, each value checked by itself.

    >>> found = given_settings(None, {}, {"ATTRIBUTION_HOLD": "6m", "ATTRIBUTION_ROUTES": "a,b; a,c"})
    >>> settings_of(found).routes, found["hold"]
    (('a,b', 'a,c'), Given(value='6m', origin='ATTRIBUTION_HOLD'))

    Args:
        file: of settings.
        options: what the command line says, by setting.
        environment: the variables.

    Raises:
        ConfigError: the file cannot be read; a key or a variable is unknown; or a value does not fit.
    """
    found = of_file(file, "attribution", _NAMES)
    found |= of_environment(PREFIX, _NAMES, environment, _value_of)
    _check_variables(environment)
    found |= options or {}
    for name, given in found.items():
        read_setting(name, given.value, where=given.origin)
    return found


def settings_of(given: Mapping[str, Given]) -> Settings:
    """The settings, with defaults for what is not given.

    Raises:
        ConfigError: the values do not go together; the message says where those that it names stand.
    """
    values = {name: read_setting(name, one.value, where=one.origin) for name, one in given.items()}
    try:
        return Settings(**values)
    except ConfigError as error:
        named = set(re.findall(r"\w+", str(error)))
        places = [f"{name} stands in {one.origin}" for name, one in given.items() if name in named]
        raise ConfigError(f"{error} ({', '.join(places)})" if places else str(error)) from None


def of_file(file: Path | None, table: str, known: Collection[str], what: str = "setting") -> dict[str, Given]:
    """The keys of a table of a settings file; raises `ConfigError` if one is not known."""
    values = read_tables(file).get(table, {}) if file else {}
    for name in values:
        if name not in known:
            raise ConfigError(unknown_name(f"{file}, [{table}]", what, name, sorted(known)))
    return {name: Given(value, str(file)) for name, value in values.items()}


def of_environment(
    prefix: str, known: Iterable[str], environment: Mapping[str, str], read: Callable[[str, str, str], object]
) -> dict[str, Given]:
    """The settings that variables give.

    Args:
        prefix: what the variables begin with.
        known: the settings.
        environment: the variables.
        read: makes a value of a setting, its text and the name of the variable.
    """
    variables = {name: f"{prefix}{name.upper()}" for name in known}
    return {
        name: Given(read(name, environment[variable], variable), variable)
        for name, variable in variables.items()
        if environment.get(variable)
    }


def boolean(text: str, variable: str) -> bool:
    """What the text of a variable says.

    Raises:
        ConfigError: it is neither true nor false.
    """
    if (value := _BOOLEANS.get(text.strip().lower())) is None:
        raise ConfigError(f"{variable} must be true or false, found {text!r}")
    return value


def written(settings: Settings) -> dict[str, object]:
    """The settings as a settings file has them: durations as text, lists, true and false."""
    return {
        name: format_duration(value) if name in DURATIONS else list(value) if isinstance(value, tuple) else value
        for name, value in vars(settings).items()
    }


def as_toml(table: str, values: Mapping[str, object]) -> str:
    """A table of a settings file, with its values in their order; these are texts, numbers, booleans or lists."""
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join([f"[{table}]", *lines, ""])


def _value_of(name: str, text: str, variable: str) -> object:
    default = getattr(Settings, name)
    if isinstance(default, bool):
        return boolean(text, variable)
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()] if isinstance(default, tuple) else text


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse a variable that is like a setting, and is none; others are no business of this package."""
    known = [name.upper() for name in _NAMES]
    for variable in environment:
        name = variable.removeprefix(PREFIX)
        if not variable.startswith(PREFIX) or name in known or variable.startswith(_OTHERS):
            continue
        if not _OF_SERVICE.fullmatch(variable) and (near := near_words(name, known, cutoff=_LIKE)):
            meant = " or ".join(f"{PREFIX}{one}" for one in near)
            raise ConfigError(
                f"the environment variable {variable} is no setting; did you mean {meant}? If it is for something "
                "else, unset it for this command"
            )
