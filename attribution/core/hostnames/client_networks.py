"""Who was told a name: single clients, and networks of clients behind a resolver that they share."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.addresses import AddressBook
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import NONE, encode
from attribution.core.columnar.types import Int32, Int64, Texts


class ClientNetworks:
    """The clients and networks of clients that name bindings are for, numbered.

    Networks may contain each other, and all of them count. So the networks of each length are looked up by themselves.

    Attributes:
        row: the binding of each pair of a binding and a client or network that it is for.
        code: the number of that client or network.
        size: how many clients and networks there are.
    """

    row: Int64
    code: Int64

    def __init__(self, bindings: pa.Table, settings: Settings) -> None:
        """Number the clients and networks of a canonical table of `schemas/name_binding.avsc`."""
        client, clients = encode(bindings.column("client_address"))
        self._book = AddressBook(clients)
        rows, codes = [np.arange(len(client))], [client.astype(np.int64)]
        self.size = len(clients)
        self._tables: list[tuple[int, PrefixTable]] = []
        row, prefix = _shared(bindings, client, clients, settings)
        number, prefixes = encode(prefix)
        length = pc.list_element(pc.split_pattern(prefixes, "/"), 1).cast(pa.int64()).to_numpy()
        ipv6 = pc.match_substring(prefixes, ":").to_numpy(zero_copy_only=False)
        kind = length * 2 + ipv6
        for one in np.unique(kind).tolist():
            places = np.flatnonzero(kind == one)
            texts = prefixes.take(pa.array(places))
            place = np.full(len(prefixes), -1, np.int64)
            place[places] = self.size + np.arange(len(places))
            mine = place[number] >= 0
            rows.append(row[mine])
            codes.append(place[number[mine]])
            self._tables.append((self.size, PrefixTable(pa.table({"prefix": texts, "service": texts}))))
            self.size += len(places)
        self.row, self.code = np.concatenate(rows), np.concatenate(codes)

    def of(self, client: Texts) -> Iterator[Int64]:
        """The number of each client itself, then of the networks of each length that contain it; `NONE` without one.

        Args:
            client: addresses of the clients.
        """
        yield self._book.find(client).astype(np.int64)
        for first, table in self._tables:
            found = table.match(client)
            yield np.where(found < 0, NONE, found + np.int64(first))


def _shared(
    bindings: pa.Table, client: Int32, clients: pa.StringArray, settings: Settings
) -> tuple[Int64, pa.StringArray]:
    """Bindings that were for other clients, too: their rows, and the prefix of these clients."""
    prefix = bindings.column("client_prefix").combine_chunks()
    given = np.flatnonzero(prefix.is_valid().to_numpy(zero_copy_only=False))
    rows, prefixes = [given], [prefix.take(pa.array(given)).cast(pa.string())]
    for resolver, clients_of_it in settings.clients_of_resolvers:
        asked = np.flatnonzero(client == pc.index(clients, resolver).as_py()) if len(clients) else given[:0]
        rows.append(asked)
        prefixes.append(pa.array([clients_of_it] * len(asked), pa.string()))
    return np.concatenate(rows), pa.concat_arrays(prefixes)
