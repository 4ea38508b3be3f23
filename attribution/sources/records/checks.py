"""What the values of each field of a record must be.

The check of a field follows from its Avro type, so that a field that is added to `schemas/*.avsc` is checked without
another word. Fields of which more is asked than their type says are listed by name in `_SPECIAL`.
"""

import re
from collections.abc import Callable
from functools import cache, partial

import pyarrow as pa

from attribution.core.addressing.addresses import canonical as canonical_addresses
from attribution.core.addressing.addresses import canonical_hosts, canonical_prefixes
from attribution.core.addressing.sockets import CLAIMS
from attribution.core.columnar.dictionaries import decoded, each_distinct
from attribution.core.reasons import REASONS
from attribution.errors import SchemaError
from attribution.schema import TIMESTAMP, Field, record
from attribution.sources.records import casting, nested
from attribution.sources.records.casting import Cast, Check, TextFunction
from attribution.sources.records.json_values import MIXED
from attribution.sources.records.raw_bytes import addresses

#: Counters above this are no counts, and would not survive being summed up.
LARGEST_COUNT = 10**18

#: The check of a field of one name, given the field; it raises TypeError where the field is of another type.
_Special = Callable[[Field], Check]

_HOSTNAME = r"\A[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\z"
#: Attributes of a query or of the place that answers it.
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.-]*")
#: Reasons that no other region can give.
_AT_HOME = ("reported", "region_silent")
_RAW_ADDRESSES = (pa.binary(4), pa.binary(16))
_BITS = {pa.int32(): 32, pa.int64(): 64}


@cache
def checks(kind: str) -> dict[str, Check]:
    """The check of each field of a record.

    Args:
        kind: the name of the record, one of `attribution.schema`.

    Raises:
        SchemaError: a field has a name of which more is asked, but another type than fields of that name have.
    """
    return {field.name: _check(field, kind) for field in record(kind).fields}


def _check(field: Field, kind: str) -> Check:
    special = _SPECIAL.get(field.name)
    try:
        return _of_type(field) if special is None else _without_nested(special(field))
    except TypeError as error:
        raise SchemaError(
            f"cannot use schemas/{kind}.avsc, field {field.name}: {error}; give the field another name or type, or "
            f"change its entry in attribution/sources/records/checks.py"
        ) from None


def _of_type(field: Field) -> Check:
    """The check that follows from the type of a field."""
    kind = field.type
    if pa.types.is_list(kind):
        (item,) = field.parts
        return partial(nested.lists, item=item, check=_of_type(item))
    if pa.types.is_struct(kind):
        return partial(nested.records, fields=field.parts, checks=[_of_type(part) for part in field.parts])
    if field.symbols:
        return _without_nested(partial(casting.words, allowed=field.symbols))
    if pa.types.is_integer(kind):
        limit = 1 << (_BITS[kind] - 1)
        return _without_nested(partial(casting.integers, low=-limit, high=limit - 1, reason="out_of_range", to=kind))
    if pa.types.is_floating(kind):
        return _without_nested(partial(casting.numbers, to=kind))
    return _without_nested({pa.string(): casting.texts, pa.bool_(): casting.booleans, TIMESTAMP: casting.times}[kind])


def _without_nested(check: Check) -> Check:
    """The check for `MIXED` columns, too: what is a list or an object in them is of a wrong type."""

    def checked(column: pa.Array) -> Cast:
        if column.type != MIXED:
            return check(column)
        text, inner = column.flatten()
        cast = check(text)
        wrong = inner.is_valid().to_numpy(zero_copy_only=False)
        faults = [(reason, mask & wrong) for reason, mask in check(column).faults]
        return Cast(cast.values, (*cast.faults, *((reason, mask) for reason, mask in faults if mask.any())))

    return checked


def _whole(low: int, high: int, reason: str) -> _Special:
    """Whole numbers within [low, high]; `reason` is for those outside."""

    def special(field: Field) -> Check:
        bits = _BITS.get(field.type)
        if bits is None or high >= 1 << (bits - 1):
            raise TypeError(f"fields of that name are whole numbers up to {high}, and it is {field.type}")
        return partial(casting.integers, low=low, high=high, reason=reason, to=field.type)

    return special


def _of(kind: pa.DataType, check: Check) -> _Special:
    """A check that makes values of one type."""

    def special(field: Field) -> Check:
        if field.type != kind:
            raise TypeError(f"fields of that name are {kind}, and it is {field.type}")
        return check

    return special


def _text(function: TextFunction, reason: str) -> _Special:
    """Text through a function of `attribution.core`; `reason` is for what it has no new text of."""
    return _of(pa.string(), partial(casting.mapped, function=function, reason=reason))


def _words(*allowed: str) -> _Special:
    """Text that is one of a few words, in any case."""
    return _of(pa.string(), partial(casting.words, allowed=allowed))


def _match(text: str) -> str | None:
    """The attribute=value pairs of a policy's `match`, each once and in order; None where it is none."""
    pairs = {tuple(part.strip() for part in pair.partition("=")) for pair in text.split(",")}
    names = {name for name, _, _ in pairs}
    if len(names) < len(pairs) or not all(_ATTRIBUTE.fullmatch(name) and value for name, _, value in pairs):
        return None
    return ",".join(sorted("".join(pair) for pair in pairs))


def _hostname(text: str) -> str | None:
    return text.lower().rstrip(".") or None


def _address(function: TextFunction) -> _Special:
    """Addresses as text, or as the 4 or 16 bytes of one."""

    def check(column: pa.Array) -> Cast:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        raw = kind in _RAW_ADDRESSES
        return casting.mapped(addresses(decoded(column)) if raw else column, function, "not_an_address")

    return _of(pa.string(), check)


_ADDRESS = _address(canonical_addresses)
_PREFIX = _text(canonical_prefixes, "not_a_prefix")
_PORT = _whole(0, 65535, "impossible_port")
_COUNT = _whole(0, LARGEST_COUNT, "impossible_count")

#: What is asked of a field beyond its type.
_SPECIAL: dict[str, _Special] = {
    "local_address": _ADDRESS,
    "remote_address": _ADDRESS,
    "wire_address": _ADDRESS,
    "remote_wire_address": _ADDRESS,
    "client_address": _ADDRESS,
    "server_address": _ADDRESS,
    # An assignment may name its address as a prefix of full length; for a heartbeat that does no harm.
    "address": _address(canonical_hosts),
    "prefix": _PREFIX,
    "client_prefix": _PREFIX,
    "port": _PORT,
    "last_port": _PORT,
    "local_port": _PORT,
    "remote_port": _PORT,
    "wire_port": _PORT,
    "remote_wire_port": _PORT,
    "protocol": _of(pa.int32(), casting.protocols),
    "tcp_flags": _whole(0, 65535, "impossible_flags"),
    "bytes_sent": _COUNT,
    "bytes_received": _COUNT,
    "packets_sent": _COUNT,
    "packets_received": _COUNT,
    "flow_count": _COUNT,
    "sampling_rate": _COUNT,
    "remote_distance": _COUNT,
    "question": _whole(0, (1 << 63) - 1, "impossible_count"),
    "row": _whole(0, (1 << 31) - 1, "impossible_count"),
    "priority": _whole(-(1 << 31), (1 << 31) - 1, "impossible_priority"),
    "ttl": _of(pa.float64(), casting.durations),
    "hostname": _text(partial(each_distinct, function=_hostname, plain=_HOSTNAME), "missing_field"),
    "match": _text(partial(each_distinct, function=_match), "not_a_match"),
    "direction": _words("ingress", "egress"),
    "basis": _words("connection", "window", "export"),
    "claim": _words(*(claim for claim in CLAIMS if claim)),
    "action": _words("assign", "release"),
    "remote_reason": _words(*(reason for reason in REASONS if reason not in _AT_HOME)),
}
