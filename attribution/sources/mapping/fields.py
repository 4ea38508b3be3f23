"""One entry of a mapping: where a field's value comes from, and what is done to it before it is checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from attribution.config import parse_duration
from attribution.errors import ConfigError, unknown_name
from attribution.sources.records.timestamps import Unit

#: Units of numbers; `iso` is text or timestamps.
UNITS: tuple[Unit, ...] = ("s", "ms", "us", "ns")
_ISO = "iso"
_KEYS = ("column", "constant", "unit", "zone", "after", "add", "values", "optional")
_OF_TIMES = ("unit", "zone", "after", "add")
#: What a pattern of strptime must have, so that it names a moment and not a day.
_NEEDED = (("%Y",), ("%H",), ("%M",), ("%d",), ("%m", "%b", "%B"))
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")


@dataclass(frozen=True)
class Source:
    """Where the values of one field come from.

    Attributes:
        column: name of a column, or a path of keys with dots in JSON; None for a constant.
        constant: the value of all rows, as text; None for a column.
        unit: of numbers that are times or durations; None where the field is none, or times are text or timestamps.
        pattern: of `strptime`, for times as text; None for ISO 8601.
        zone: of times whose pattern names none.
        after: the field that a duration is added to; None where the column is a time.
        add_us: added to each time, microseconds.
        values: text of the column -> value of the field; other text stays as it is.
        optional: whether the column may be missing.
    """

    column: str | None = None
    constant: str | None = None
    unit: Unit | None = None
    pattern: str | None = None
    zone: timezone | None = None
    after: str | None = None
    add_us: int = 0
    values: tuple[tuple[str, str], ...] = ()
    optional: bool = False


def source_of(where: str, given: object, *, is_time: bool) -> Source:
    """The entry of one field.

    Args:
        where: the file and the field, for messages.
        given: what stands there: the name of a column, or a table.
        is_time: whether the field is a time.

    Raises:
        ConfigError: it is no entry, or not one for such a field.
    """
    table = {"column": given} if isinstance(given, str) else given
    if not isinstance(table, Mapping):
        raise ConfigError(f'{where}: write the name of a column, or a table such as {{ column = "…" }}, not {given!r}')
    for key in table:
        if key not in _KEYS:
            raise ConfigError(unknown_name(where, "key", key, _KEYS))
    if ("column" in table) == ("constant" in table):
        raise ConfigError(f"{where}: give either a column or a constant")
    of_times = [key for key in _OF_TIMES if key in table]
    if of_times and not is_time:
        raise ConfigError(f"{where}: {of_times[0]} is for times, and this field is none")
    if "constant" in table and (more := [key for key in table if key != "constant"]):
        raise ConfigError(f"{where}: {more[0]} is for columns, and this is a constant")
    for key in ("column", "unit", "zone", "after", "add"):
        _text(where, table, key)
    unit, pattern = _unit(where, table, is_time=is_time and "constant" not in table)
    return Source(
        column=_text(where, table, "column"),
        constant=_constant(where, table.get("constant")),
        unit=unit,
        pattern=pattern,
        zone=_zone(where, table.get("zone"), pattern),
        after=_text(where, table, "after"),
        add_us=_added(where, table.get("add")),
        values=_values(where, table.get("values", {})),
        optional=_flag(where, table, "optional"),
    )


def _unit(where: str, table: Mapping[str, object], *, is_time: bool) -> tuple[Unit | None, str | None]:
    """The unit of numbers, or the pattern of text."""
    if not is_time:
        return None, None
    said = table.get("unit")
    if said is None:
        raise ConfigError(
            f'{where}: say the unit of the times: s, ms, us, ns, iso, or a pattern such as "%d/%m/%Y %H:%M:%S %z"'
        )
    for unit in UNITS:
        if said == unit:
            return unit, None
    if "after" in table:
        raise ConfigError(f"{where}: a duration is in s, ms, us or ns, not {said!r}")
    if said == _ISO:
        return None, None
    return None, _pattern(where, str(said))


def _pattern(where: str, pattern: str) -> str:
    """A pattern of `strptime` that names a moment."""
    if "%" not in pattern:
        raise ConfigError(unknown_name(where, "unit", pattern, (*UNITS, _ISO)))
    for one_of in _NEEDED:
        if not any(part in pattern for part in one_of):
            raise ConfigError(f"{where}: the pattern {pattern!r} lacks {' or '.join(one_of)}, so it names no moment")
    try:
        datetime.strptime("", pattern)  # noqa: DTZ007 - only whether it is a pattern
    except ValueError as error:
        if "does not match" not in str(error):
            raise ConfigError(f"{where}: {pattern!r} is no pattern of strptime: {error}") from None
    except (re.error, IndexError):
        raise ConfigError(f"{where}: {pattern!r} is no pattern of strptime") from None
    return pattern


def _zone(where: str, given: object, pattern: str | None) -> timezone | None:
    names_zone = pattern is not None and ("%z" in pattern)
    if given is None:
        if pattern is not None and not names_zone:
            raise ConfigError(f'{where}: the pattern {pattern!r} names no zone; add %z, or zone = "UTC" or "+01:00"')
        return None
    if pattern is None or names_zone:
        raise ConfigError(f"{where}: zone is for patterns without %z")
    if given == "UTC":
        return timezone.utc  # noqa: UP017 - of this type
    found = _OFFSET.fullmatch(str(given))
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        raise ConfigError(f'{where}: {given!r} is no zone; write "UTC" or an offset such as "+01:00"')
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


def _added(where: str, given: object) -> int:
    """Microseconds of a duration that may have a sign."""
    if given is None:
        return 0
    text = str(given).strip()
    try:
        size = parse_duration(text.lstrip("+-").strip())
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return -size if text.startswith("-") else size


def _constant(where: str, given: object) -> str | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ConfigError(f"{where}: a constant is text or a whole number, not {given!r}")
    return str(given)


def _values(where: str, given: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, Mapping):
        raise ConfigError(f'{where}: values is a table such as {{ I = "ingress", O = "egress" }}, not {given!r}')
    return tuple((text, _constant(f"{where}: values", value) or "") for text, value in given.items())


def _text(where: str, table: Mapping[str, object], key: str) -> str | None:
    given = table.get(key)
    if given is not None and (not isinstance(given, str) or not given):
        raise ConfigError(f"{where}: {key} is text, not {given!r}")
    return given


def _flag(where: str, table: Mapping[str, object], key: str) -> bool:
    given = table.get(key, False)
    if not isinstance(given, bool):
        raise ConfigError(f"{where}: {key} is true or false, not {given!r}")
    return given


def texts_of(where: str, given: object) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(one, str) for one in given):
        raise ConfigError(f"{where} is a list of texts, not {given!r}")
    return tuple(given)
