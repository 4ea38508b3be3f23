"""Lines of DNS logs as name bindings: what logs of one JSON object an answer have in common."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.schema import NAME_BINDING
from attribution.sources.records.json_values import Json, JsonObject, typed_column
from attribution.sources.records.model import Account, Block, Input
from attribution.sources.records.set_aside import bad_lines

_BLOCK_BYTES = 4 << 20
_TYPES = {
    "network": pa.string(),
    "client_address": pa.string(),
    "client_prefix": pa.string(),
    "server_address": pa.string(),
    "hostname": pa.string(),
    "time": pa.string(),
    "ttl": pa.float64(),
}
#: Why a log's row of no address carries no record.
NO_ADDRESSES = {
    "no_address_query": "A DNS query for something else than an address (A, AAAA).",
    "no_answer": "A DNS query without an address among its answers.",
}
#: Types of queries whose answers are addresses, and of the records that have them.
ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True)
class Answer:
    """What one client was told.

    Attributes:
        client: the address that asked.
        client_prefix: clients that it asked for, if it is a resolver that said so.
        hostname: the name that was asked for.
        time: when the answer was given, as the log has it.
        addresses: each address of the answer, and its TTL in seconds; None where the log does not say.
        network: in which the client's address and those of the answer are; None where the log does not say.
    """

    client: str | None
    client_prefix: str | None
    hostname: str | None
    time: str | None
    addresses: Sequence[tuple[str | None, float | None]]
    network: str | None = None


#: What a line's object says: an answer, or the reason (of the format's `skips`) why it says nothing. Whatever it
#: raises of `LookupError`, `TypeError`, `ValueError` and `OverflowError` makes the line a malformed one.
Reader = Callable[[JsonObject], Answer | str]


def name_bindings(data: Input, account: Account, reader: Reader) -> Iterator[Block]:
    """A name binding for each address of each answer in a log of JSON lines."""
    set_aside = bad_lines(account, data.name, NAME_BINDING)
    for first_line, content in data.lines(_BLOCK_BYTES):
        found: list[tuple[int, Answer]] = []
        for number, line in enumerate(content.split(b"\n"), first_line):
            if not line.strip():
                continue
            try:
                said = reader(_object(line))
            except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
                set_aside(number, line, "not_text" if isinstance(error, UnicodeDecodeError) else "malformed")
                continue
            if isinstance(said, str):
                account.skip(said)
            else:
                found.append((number, said))
        if found:
            yield _block(found, data.name)


def needed(entry: Json, key: str) -> str | None:
    """The text under a key, or null: validation says whether it may be that.

    Raises:
        LookupError: the key is not there.
        TypeError: it is no object, or something else than text stands under the key.
    """
    if not isinstance(entry, dict):
        raise TypeError("no JSON object")
    found = entry[key]
    if found is not None and not isinstance(found, str):
        raise TypeError(f"no text: {key}")
    return found


def _object(line: bytes) -> JsonObject:
    found: Json = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


def _block(found: list[tuple[int, Answer]], source: str) -> Block:
    rows = [
        (line, (said.network, said.client, said.client_prefix, address, said.hostname, said.time, ttl))
        for line, said in found
        for address, ttl in said.addresses
    ]
    values = zip(*(row for _, row in rows), strict=True)
    columns = {name: typed_column(column, kind) for (name, kind), column in zip(_TYPES.items(), values, strict=True)}
    return Block(NAME_BINDING, columns, source, np.array([line for line, _ in rows], np.int64))
