"""Places: an address in a network, as one text, so that evidence of the two is numbered as evidence of one.

The place of an address without a network is the address itself: where no record names a network, nothing is made.

Example: 10.0.0.1 is in the networks `east` and `west`, and 10.0.0.2 is in no network that is known.

>>> rows = pa.table({"address": ["10.0.0.1", "10.0.0.1", "10.0.0.2"], "network": ["east", "west", None]})
>>> found = places_of(rows)
>>> found.to_pylist()
['10.0.0.1@east', '10.0.0.1@west', '10.0.0.2']
>>> [part.to_pylist() for part in split_places(found)]
[['10.0.0.1', '10.0.0.1', '10.0.0.2'], ['east', 'west', None]]
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.arrays import encode
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Records, Texts

#: Between address and network. No canonical address has it, and the first in a place ends the address.
_BETWEEN = "@"
#: The fields that name networks.
_NETWORKS = ("network", "local_network", "remote_network")


def places_of(records: Records, address: str = "address") -> Texts:
    """The place of each record of evidence: text without nulls, dictionary-encoded if any record names a network.

    Args:
        records: canonical records with a column `network`; without this column they name no network.
        address: the column with the addresses.
    """
    addresses = records.column(address)
    if "network" not in records.schema.names or _unnamed(records.column("network")):
        return addresses
    code, texts = encode(addresses)
    network, names = encode(records.column("network"))
    pair = code.astype(np.int64) * (len(names) + 1) + network + 1
    pairs, place = np.unique(pair, return_inverse=True)
    held, name = np.divmod(pairs, len(names) + 1)
    return pa.DictionaryArray.from_arrays(
        pa.array(place.astype(np.int32)), join_places(texts.take(pa.array(held)), _taken(names, name - 1))
    )


def join_places(addresses: pa.StringArray, networks: pa.StringArray) -> pa.StringArray:
    """The places of addresses in networks; a network of null is none."""
    named = pc.binary_join_element_wise(addresses, networks, _BETWEEN)
    return pc.if_else(networks.is_valid(), named, addresses)


def split_places(places: Texts) -> tuple[pa.StringArray, pa.StringArray]:
    """Addresses and networks of places; the network of an address without one is null."""
    texts = decoded(places)
    if not has_networks(texts):
        return texts, pa.nulls(len(texts), pa.string())
    end = pc.find_substring(texts, _BETWEEN).to_numpy(zero_copy_only=False)
    parts = pc.split_pattern(texts, _BETWEEN, max_splits=1)
    begin, flat = parts.offsets.to_numpy()[:-1], parts.flatten()
    addresses = flat.take(pa.array(begin))
    return addresses, flat.take(pa.array(begin + 1, mask=end < 0))


def has_networks(places: pa.StringArray) -> bool:
    """Whether any of these places is in a network."""
    return bool(pc.any(pc.match_substring(places, _BETWEEN), min_count=0).as_py())


def without_networks(records: Records) -> Records:
    """The records with no network named, as if all addresses lay in one space."""
    for name in _NETWORKS:
        if name in records.schema.names and not _unnamed(records.column(name)):
            at = records.schema.get_field_index(name)
            field = records.schema.field(at).with_type(pa.string())
            records = records.set_column(at, field, pa.nulls(records.num_rows, pa.string()))
    return records


def _unnamed(networks: Texts) -> bool:
    return networks.null_count == len(networks)


def _taken(names: pa.StringArray, codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.StringArray:
    return names.take(pa.array(codes, mask=codes < 0))
