"""Names by the last DNS answer, as is commonly done: the last answer with the address, to anybody or to that client."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.core.columnar.arrays import encode, find, microseconds, order_by
from attribution.core.columnar.types import Int64, Texts

#: The baselines, as tables show them.
LAST_NAME, LAST_NAME_TOLD = "last name seen for the address", "last name told to the client"


@dataclass(frozen=True)
class _Last:
    """Bindings in the order of key and time, ready to be asked for the last one."""

    at: Int64
    row: Int64
    first: int
    span: int

    @classmethod
    def of(cls, key: Int64, time: Int64) -> "_Last":
        first = int(time.min()) if len(time) else 0
        span = int(time.max(initial=first)) - first + 2
        order = order_by(key, time)
        return cls((key * span + (time - first))[order], order, first, span)

    def ask(self, key: Int64, moment: Int64) -> Int64:
        """The last binding of each key at or before each moment; -1 if there is none, or if the key is -1."""
        if not len(self.at):
            return np.full(len(key), -1)
        asked = key * self.span + np.clip(moment - self.first, -1, self.span - 2)
        place = np.searchsorted(self.at, asked, side="right") - 1
        known = (key >= 0) & (moment >= self.first) & (place >= 0)
        known[known] = self.at[place[known]] // self.span == key[known]
        return np.where(known, self.row[np.maximum(place, 0)], -1)


class NameLog:
    """A log of DNS answers that gives the last answer before a moment."""

    def __init__(self, bindings: pa.Table, resolvers: Sequence[tuple[str, str]] = ()) -> None:
        """Order the answers.

        Args:
            bindings: a table of `schemas/name_binding.avsc`.
            resolvers: resolver and prefix of its clients, as `Settings.clients_of_resolvers` has them.
        """
        self._hostname = bindings.column("hostname").combine_chunks()
        self._time = microseconds(bindings.column("time"))
        server, self._servers = encode(bindings.column("server_address"))
        self._for_address = _Last.of(server.astype(np.int64), self._time)
        row, key = self._keys(bindings, resolvers)
        pair: Int64 = key * len(self._servers) + server[row]
        self._for_client = _Last.of(pair, self._time[row])
        self._row = row

    def _keys(self, bindings: pa.Table, resolvers: Sequence[tuple[str, str]]) -> tuple[Int64, Int64]:
        """The row of each binding, once for each of its clients, and the number of the client in `_clients`."""
        client, clients = encode(bindings.column("client_address"))
        prefix, prefixes = encode(bindings.column("client_prefix"))
        texts = [*clients.to_pylist(), *prefixes.to_pylist()]
        rows = [np.arange(len(client)), np.flatnonzero(prefix >= 0)]
        keys = [client.astype(np.int64), len(clients) + prefix[rows[1]].astype(np.int64)]
        for resolver, inside in resolvers:
            its = np.flatnonzero(client == int(find(pa.array([resolver]), clients)[0]))
            rows.append(its)
            keys.append(np.full(len(its), len(texts), np.int64))
            texts.append(inside)
        # One prefix may be several resolvers' and in the log besides.
        numbers: dict[str, int] = {}
        number = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)
        self._clients = numbers
        return np.concatenate(rows), number[np.concatenate(keys)].astype(np.int64)

    def last_for_address(self, server: Texts, moment: Int64) -> pa.Array:
        """The hostname of the last answer to anybody that has each server address; null if there is none."""
        return self._named(self._for_address.ask(self._server(server), moment))

    def last_for_client(self, client: Texts, server: Texts, moment: Int64) -> pa.Array:
        """The hostname of the last answer with the server address that the client may have got; null if none."""
        number, clients = encode(client)
        keys = [self._keys_of(text) for text in clients.to_pylist()]
        width = max((len(found) for found in keys), default=0)
        table = np.full((len(keys), width), -1)
        for place, found in enumerate(keys):
            table[place, : len(found)] = found
        asked = self._server(server)
        best, latest = np.full(len(asked), -1), np.full(len(asked), np.iinfo(np.int64).min)
        for column in table.T:
            key = column[number]
            pair = np.where((key >= 0) & (asked >= 0), key * len(self._servers) + asked, -1)
            last = self._for_client.ask(pair, moment)
            row = np.where(last >= 0, self._row[last], -1)
            time = np.where(row >= 0, self._time[row], np.iinfo(np.int64).min)
            best = np.where(time > latest, row, best)
            latest = np.maximum(time, latest)
        return self._named(best)

    def _keys_of(self, address: str) -> list[int]:
        """Numbers of an address among the clients: of itself, and of every prefix that contains it."""
        return [self._clients[text] for text in [address, *_around(address)] if text in self._clients]

    def _server(self, addresses: Texts) -> Int64:
        number, texts = encode(addresses)
        return np.append(find(texts, self._servers), -1)[number].astype(np.int64)

    def _named(self, row: Int64) -> pa.Array:
        return self._hostname.take(pa.array(row, mask=row < 0))


def _around(address: str) -> Iterable[str]:
    """Every prefix that contains an address."""
    whole = ipaddress.ip_network(address)
    return (str(whole.supernet(new_prefix=length)) for length in range(whole.prefixlen + 1))
