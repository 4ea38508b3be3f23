"""Addresses: canonical text at every edge, two 64-bit numbers inside.

Canonical text is dotted IPv4 and RFC 5952 IPv6 (lower case, longest run of zeros compressed). An IPv4-mapped IPv6
address is the IPv4 address, since the same packet is logged either way. All work is done once per distinct text.
Spellings that readers take differently are no addresses here (`010.0.0.1` is octal to some): a wrong guess would be a
wrong owner.
"""

import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing import ipv4, ipv6
from attribution.core.columnar.arrays import encode, find, recode
from attribution.core.columnar.dictionaries import each_distinct, one_array
from attribution.core.columnar.types import Bool, Int32, Texts, UInt64

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"\A(?:{_OCTET}\.){{3}}{_OCTET}\z"
#: Distinct texts other than plain IPv4 that are remembered across batches; about 200 bytes each.
_REMEMBERED = 1 << 17
_MAPPED = b"\0" * 10 + b"\xff\xff"
_MAPPED_LOW = np.uint64(0xFFFF << 32)
_IPV4_LENGTH = 32
_IPV6_LENGTH = 128
_MAPPED_LENGTH = 96


def canonical(texts: Texts) -> tuple[Texts, Bool]:
    """Addresses as canonical text, and which rows are valid.

    Args:
        texts: a column of text.

    Returns:
        Text that is null where the row was null or no address, and a mask that is false only where the row held text
        that is no address. The text is a `dictionary<int32, string>` array. If the column is plain text, and every row
        is canonical IPv4 already, it is the column itself: the common case needs no dictionary.
    """
    return _each_address(texts, canonical_address)


def canonical_hosts(texts: Texts) -> tuple[Texts, Bool]:
    """As `canonical`, but a prefix of full length (`10.0.0.1/32`) is also taken, as its one address."""
    return _each_address(texts, _canonical_host)


def _each_address(texts: Texts, function: Callable[[str], str | None]) -> tuple[Texts, Bool]:
    if not isinstance(texts, pa.ChunkedArray) and ipv4.parse(texts) is not None:
        return texts, np.ones(len(texts), np.bool_)
    return each_distinct(texts, function, plain=_IPV4)


def canonical_prefixes(texts: Texts) -> tuple[pa.DictionaryArray, Bool]:
    """CIDR prefixes as canonical text, and which rows are valid; a bare address is a prefix of full length."""
    return each_distinct(texts, canonical_prefix)


@lru_cache(maxsize=_REMEMBERED)
def canonical_address(text: str) -> str | None:
    """Canonical text of an address; None for other text, such as one with a zone id, port, bracket or leading zero."""
    packed = _packed(text)
    if packed is None:
        return None
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    if packed.startswith(b"\0" * 12):
        return str(ipaddress.IPv6Address(packed))  # the C library writes ::1:2 as ::0.1.0.2
    return socket.inet_ntop(socket.AF_INET6, packed)


@lru_cache(maxsize=_REMEMBERED)
def canonical_prefix(text: str) -> str | None:
    """Canonical text of a CIDR prefix; None for other text, and where host bits are set."""
    address, slash, length = text.partition("/")
    host = canonical_address(address)
    if host is None or (slash and not (length.isascii() and length.isdigit() and length == str(int(length)))):
        return None
    full = _IPV4_LENGTH if "." in host else _IPV6_LENGTH
    bits = int(length) if slash else full
    if slash and full == _IPV4_LENGTH and ":" in address:
        bits -= _MAPPED_LENGTH
    try:
        return str(ipaddress.ip_network(f"{host}/{bits}"))
    except ValueError:
        return None


def pack(addresses: Texts) -> tuple[UInt64, UInt64]:
    """Canonical addresses as (high, low) halves of 128 bits, IPv4 in `::ffff:0:0/96`; order and prefixes are numeric.

    Args:
        addresses: canonical text without nulls.

    Raises:
        ValueError: a value is no address.
    """
    if isinstance(addresses, pa.ChunkedArray):
        addresses = one_array(addresses)
    if isinstance(addresses, pa.DictionaryArray):
        high, low = pack(addresses.dictionary)
        rows = addresses.indices.to_numpy(zero_copy_only=False)
        return high[rows], low[rows]
    texts = addresses.cast(pa.string())
    numbers = ipv4.parse(texts)
    if numbers is not None:
        return np.zeros(len(texts), np.uint64), _MAPPED_LOW | numbers
    high, low = np.zeros(len(texts), np.uint64), np.zeros(len(texts), np.uint64)
    colons = pc.match_substring(texts, ":").to_numpy(zero_copy_only=False).astype(np.bool_)
    numbers = ipv4.parse(texts.filter(pa.array(~colons)))
    halves = ipv6.parse(texts.filter(pa.array(colons)))
    if numbers is None or halves is None:
        odd = np.frombuffer(b"".join(map(_packed_or_raise, texts.to_pylist())), ">u8").reshape(-1, 2)
        return odd[:, 0].astype(np.uint64), odd[:, 1].astype(np.uint64)
    low[~colons] = _MAPPED_LOW | numbers
    high[colons], low[colons] = halves
    return high, low


class AddressBook:
    """The numbers of known addresses, found again in the columns of flows; plain IPv4 text takes the fast way."""

    def __init__(self, addresses: pa.StringArray) -> None:
        """Number the distinct canonical `addresses` by their place."""
        self._addresses = addresses
        # Canonical text without colons is IPv4.
        place = np.flatnonzero(np.invert(pc.match_substring(addresses, ":").to_numpy(zero_copy_only=False)))
        numbers = ipv4.parse(addresses.take(pa.array(place)))
        if numbers is None:
            raise ValueError("the addresses of evidence must be canonical text")
        self._place = np.append(place, -1).astype(np.int32)
        self._numbering = ipv4.Numbering(numbers)

    def find(self, column: Texts) -> Int32:
        """The number of each row's address; `NONE` where it is null or not known."""
        if pa.types.is_string(column.type):
            numbers = ipv4.parse(column)
            if numbers is not None:
                return self._place[self._numbering.find(numbers)]
        codes, values = encode(column)
        return recode(codes, find(values, self._addresses))


def _canonical_host(text: str) -> str | None:
    if "/" not in text:
        return canonical_address(text)
    prefix = canonical_prefix(text)
    if prefix is None:
        return None
    host, _, length = prefix.partition("/")
    return host if int(length) == (_IPV4_LENGTH if "." in host else _IPV6_LENGTH) else None


def _packed(text: str) -> bytes | None:
    """The 16 bytes of one address, IPv4 mapped; None where the text is no address."""
    try:
        if ":" not in text:
            return _MAPPED + ipaddress.IPv4Address(text).packed
        if "%" in text:  # a zone id; some C libraries take it
            return None
        return socket.inet_pton(socket.AF_INET6, text)
    except (ValueError, OSError):
        return None


def _packed_or_raise(text: str) -> bytes:
    packed = _packed(text)
    if packed is None:
        raise ValueError(f"cannot pack {text!r}: it is no address; make it canonical first")
    return packed
