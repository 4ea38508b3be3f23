"""The mapping file: TOML that says which column of a table, or which key of JSON, is which field of a record.

| key | says |
|---|---|
| `kind` | the one kind of record that each row is |
| `[fields]` | a field of the record: its column, or a table of `column` or `constant` and more (`fields.Source`) |
| `flow_heartbeats` | whether flows show that their local workload is there: `none` (by default), `start`, `interval` |
| `[table]` | of text: `delimiter`, `columns` if there is no header, `nulls` |

A flow needs to know its local side. A file that has sources and destinations instead says so by the names of its
fields: `source_address`, `destination_port` and so on, `bytes` and `packets`. Then `direction` is needed: of `egress`
the source is local, of `ingress` the destination.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from attribution.core.flow_evidence.flow_heartbeats import FlowHeartbeats
from attribution.errors import ConfigError, unknown_name
from attribution.records import INPUT_RECORDS
from attribution.schema import FLOW, HEARTBEAT, TIMESTAMP, record
from attribution.sources.mapping.fields import Source, source_of, texts_of

_KEYS = ("kind", "flow_heartbeats", "table", "fields")
_TABLE_KEYS = ("delimiter", "columns", "nulls")
_HEARTBEATS: tuple[FlowHeartbeats, ...] = ("none", "start", "interval")
#: What validation fills in where it is left out.
_FILLED = {FLOW: ("basis",), HEARTBEAT: ("end",)}
#: Fields of a side, and counts of one way.
SIDE_FIELDS = ("address", "port", "network")
COUNTS = ("bytes", "packets")
SIDED = frozenset(f"{side}_{name}" for side in ("source", "destination") for name in SIDE_FIELDS) | set(COUNTS)


@dataclass(frozen=True)
class Mapped:
    """What a mapping file says.

    Attributes:
        path: of the file.
        kind: of all rows.
        fields: where the values of each field come from; of flows also those of `SIDED`.
        flow_heartbeats: what its flows are as heartbeats.
        delimiter: of text; None if the text shows it.
        columns: names of the columns of text without a header; empty if it has one.
        nulls: values of text that stand for none.
    """

    path: str
    kind: str
    fields: Mapping[str, Source]
    flow_heartbeats: FlowHeartbeats
    delimiter: str | None
    columns: tuple[str, ...]
    nulls: tuple[str, ...]

    @property
    def sided(self) -> bool:
        """Whether it names sources and destinations."""
        return not SIDED.isdisjoint(self.fields)

    @property
    def ends_with_second(self) -> bool:
        """Whether an end, or a duration, of whole seconds may be longer, so that the flow is asked about to the last.

        Not if flows are heartbeats: nothing was seen in the rest of the second. Nor if the mapping adds something.
        """
        return self.kind == FLOW and self.flow_heartbeats == "none" and self._is_whole("end")

    @property
    def starts_with_second(self) -> bool:
        """Whether what was seen from a whole second on may have begun later in it, so that it counts from its end."""
        return self.kind == HEARTBEAT and self._is_whole("start")

    def _is_whole(self, name: str) -> bool:
        time = self.fields.get(name)
        return time is not None and time.column is not None and time.unit in (None, "s") and not time.add_us

    @property
    def wanted(self) -> dict[str, bool]:
        """Each column that is read, and whether it may be missing."""
        found: dict[str, bool] = {}
        for source in self.fields.values():
            if source.column is not None:
                found[source.column] = found.get(source.column, True) and source.optional
        return found


@cache
def mapping_file(path: str) -> Mapped:
    """The mapping in a file.

    Raises:
        ConfigError: it cannot be read, or says something else than a mapping.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the mapping {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the mapping {path} is no TOML: {error}") from None
    return mapping_of(path, document)


def mapping_of(path: str, document: Mapping[str, object]) -> Mapped:
    """The mapping that a TOML document says; raises as `mapping_file`."""
    _known(path, "key", document, _KEYS)
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in INPUT_RECORDS:
        raise ConfigError(f"{path}: kind is {kind!r}; write one of {', '.join(INPUT_RECORDS)}")
    given = _table(path, document, "fields")
    known = [*record(kind).names, *(sorted(SIDED) if kind == FLOW else ())]
    _known(f"{path}, [fields]", "field", given, known)
    times = {field.name for field in record(kind).fields if field.type == TIMESTAMP}
    fields = {name: source_of(f"{path}, {name}", one, is_time=name in times) for name, one in given.items()}
    _check_durations(path, fields, times)
    _check_sides(path, fields)
    _check_missing(path, kind, fields)
    delimiter, columns, nulls = _text_table(path, _table(path, document, "table"))
    found = Mapped(path, kind, fields, _heartbeats(path, kind, document), delimiter, columns, nulls)
    if columns and (unknown := [column for column in found.wanted if column not in columns]):
        raise ConfigError(unknown_name(f"{path}, [fields]", "column", unknown[0], columns))
    return found


def _check_durations(path: str, fields: Mapping[str, Source], times: set[str]) -> None:
    for name, source in fields.items():
        if source.after is None:
            continue
        before = fields.get(source.after)
        if source.after not in times or before is None or before.after is not None:
            raise ConfigError(f"{path}, {name}: after names a time among [fields] with a column of its own")


def _check_sides(path: str, fields: Mapping[str, Source]) -> None:
    if SIDED.isdisjoint(fields):
        return
    both = [
        name
        for side in ("local", "remote")
        for name in (*(f"{side}_{field}" for field in SIDE_FIELDS), "bytes_sent", "bytes_received", "packets_sent")
        if name in fields
    ] + [name for name in ("packets_received",) if name in fields]
    if both:
        raise ConfigError(
            f"{path}: {both[0]} beside {min(SIDED & fields.keys())}: name either local and remote, or source and "
            "destination"
        )
    if "direction" not in fields:
        raise ConfigError(
            f"{path}: with source and destination, say which side is local: direction = a column or constant that is "
            "egress (the source is local) or ingress (the destination is local)"
        )


def _check_missing(path: str, kind: str, fields: Mapping[str, Source]) -> None:
    filled = _FILLED.get(kind, ())
    needed = [f.name for f in record(kind).fields if not f.nullable and f.default is None and f.name not in filled]
    if not SIDED.isdisjoint(fields):
        names = {"local_address": "source_address", "remote_address": "destination_address"}
        needed = [names.get(name, name) for name in needed]
    if missing := [name for name in needed if name not in fields]:
        raise ConfigError(f"{path}: [fields] lacks {', '.join(missing)}, which a {kind} needs")


def _heartbeats(path: str, kind: str, document: Mapping[str, object]) -> FlowHeartbeats:
    given = document.get("flow_heartbeats", "none")
    if kind != FLOW and "flow_heartbeats" in document:
        raise ConfigError(f"{path}: flow_heartbeats is for flows, and kind is {kind}")
    for known in _HEARTBEATS:
        if given == known:
            return known
    raise ConfigError(f"{path}: flow_heartbeats is one of {', '.join(_HEARTBEATS)}, not {given!r}")


def _text_table(path: str, table: Mapping[str, object]) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    where = f"{path}, [table]"
    _known(where, "key", table, _TABLE_KEYS)
    delimiter = table.get("delimiter")
    if delimiter is not None and (
        not isinstance(delimiter, str) or len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\n\r\0'
    ):
        raise ConfigError(f"{where}: delimiter is one ASCII character, not {delimiter!r}")
    columns = texts_of(f"{where}: columns", table.get("columns", []))
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise ConfigError(f"{where}: columns has {twice[0]!r} twice")
    if columns and delimiter is None:
        raise ConfigError(f"{where}: columns is for text without a header; say its delimiter, too")
    return delimiter, columns, texts_of(f"{where}: nulls", table.get("nulls", ["", "-"]))


def _table(path: str, document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path}: [{name}] is a table, not {found!r}")
    return found


def _known(where: str, what: str, given: Mapping[str, object], known: tuple[str, ...] | list[str]) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(unknown_name(where, what, key, known))
