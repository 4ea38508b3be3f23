"""The keys that heartbeats are evidence for.

A heartbeat of one socket is evidence twice. It says who holds the key (address, socket). It also says that the address
is held by port, whoever the heartbeat names. Claims of connections say the former only, unless the wire showed the
port. Those of opened connections have a key of their own beside that of the socket. A heartbeat of a range of ports is
evidence for each port block that it holds (`attribution.core.addressing.port_blocks`).
"""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.addressing.places import split_places
from attribution.core.addressing.port_blocks import PortBlocks
from attribution.core.addressing.sockets import (
    ANY_SOCKET,
    BALANCED,
    CLAIM,
    CLAIMS,
    CONNECTED,
    OPENED,
    SHOWN,
    SOCKETS,
    claims,
    ephemeral,
    split_ranges,
    translated,
)
from attribution.core.columnar.arrays import NONE
from attribution.core.columnar.types import Bool, Int32, Int64, Ints
from attribution.core.ownership.heartbeats import Heartbeats

#: The kind of the key that a row about a single socket is evidence for, by its claim: the socket itself, the
#: connections opened from it, or connections that were accepted for others, which nobody asks.
_KIND = np.zeros(len(CLAIMS), np.int64)
_KIND[[OPENED, SHOWN, CONNECTED]] = 1
_KIND[BALANCED] = 2
#: The claim of ownership ranges, by kind.
_CLAIM = np.array([0, SHOWN, BALANCED, 0])
#: Numbers of the single sockets of an address: those of all kinds.
_OF_ADDRESS = 4 * SOCKETS


@dataclass(frozen=True)
class Keys:
    """The keys that have evidence, numbered as groups.

    The groups are, in this order: whole addresses; addresses that are shared; single sockets; port blocks; ranges of
    ports that are no block by themselves.

    Attributes:
        addresses: number of addresses; group i is the whole address i.
        shared: the addresses with explicit evidence of ports, and all translated addresses, sorted. The group of such
            an address says when any of this evidence was seen.
        socket_keys: sorted numbers of the single sockets, and of the connections opened from them, as of `_numbered`.
        ephemeral: which of these are given out per connection.
        opened: which of these are connections opened from a socket.
        blocks: the port blocks, and the ranges of ports that are no block by themselves.
    """

    addresses: int
    shared: Int64
    socket_keys: Int64
    ephemeral: Bool
    opened: Bool
    blocks: PortBlocks

    @property
    def first_socket(self) -> int:
        """Group of the first single socket."""
        return self.addresses + len(self.shared)

    @property
    def first_block(self) -> int:
        """Group of the first port block."""
        return self.first_socket + len(self.socket_keys)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.first_block + len(self.blocks)

    def of_socket(self, address: Ints, socket: Ints, *, opened: bool = False) -> Int32:
        """The group of each single socket, or of the connections opened from it; `NONE` where it has none."""
        if len(self.socket_keys) == 0:
            return np.full(len(address), NONE)
        key = _numbered(address, socket, int(opened))
        position = np.minimum(np.searchsorted(self.socket_keys, key), len(self.socket_keys) - 1)
        known = (self.socket_keys[position] == key) & (socket != ANY_SOCKET)
        return np.where(known, self.first_socket + position, NONE).astype(np.int32)

    def sockets(self, number: Ints) -> tuple[Int64, Int64]:
        """Address and socket of the entries of `socket_keys` at these places; the socket as of `held_sockets`."""
        address, kind, socket = _split(np.append(self.socket_keys, 0)[number])
        return address, socket + _CLAIM[kind] * int(CLAIM)

    @property
    def any_opened(self) -> bool:
        """Whether there are keys of opened connections."""
        return bool(self.opened.any())

    def is_ephemeral(self, group: Ints) -> Bool:
        """Whether each group is a socket that is given out per connection."""
        found = np.zeros(len(group), np.bool_)
        if len(self.socket_keys) == 0:
            return found
        single = np.flatnonzero((group >= self.first_socket) & (group < self.first_block))
        found[single] = self.ephemeral[group[single] - self.first_socket]
        return found


def build_keys(heartbeats: Heartbeats, settings: Settings) -> tuple[Keys, Int64, Int64, Int32]:
    """The keys; and what each heartbeat says of each of its keys: its row, the key's group, and the workload."""
    addresses = len(heartbeats.addresses)
    address, socket, workload = heartbeats.address.astype(np.int64), heartbeats.socket, heartbeats.workload
    by_port = socket != ANY_SOCKET
    behind = translated(split_places(heartbeats.addresses)[0], settings)
    on_shared = is_explicit(socket) | behind[address] if behind.any() else is_explicit(socket)
    if not by_port.any() and not on_shared.any():
        nothing = np.zeros(0, np.int64)
        keys = Keys(addresses, nothing, nothing, nothing > 0, nothing > 0, PortBlocks.of(nothing, nothing))
        return keys, np.arange(len(address)), address, workload
    whole = np.flatnonzero(~by_port)
    sharing = np.flatnonzero(on_shared)
    shared, of_shared = np.unique(address[sharing], return_inverse=True)
    first, last = split_ranges(socket)
    single = np.flatnonzero(by_port & (last < 0))
    kind = _KIND[claims(socket[single])]
    socket_keys, of_socket = np.unique(_numbered(address[single], first[single], kind), return_inverse=True)
    of_address, kind, number = _split(socket_keys)
    opened = kind == _KIND[OPENED]
    per_connection = opened | ephemeral(number, behind[of_address], settings)
    ranged = np.flatnonzero(last >= 0)
    blocks = PortBlocks.of(address[ranged], socket[ranged])
    of_range, of_block = blocks.expand(address[ranged], socket[ranged])
    ranged = ranged[of_range]
    keys = Keys(addresses, shared, socket_keys, per_connection, opened, blocks)
    row = np.concatenate([whole, sharing, single, ranged])
    group = np.concatenate(
        [address[whole], addresses + of_shared, keys.first_socket + of_socket, keys.first_block + of_block]
    )
    # An address is shared whoever shares it: all evidence of that speaks for one workload.
    of_key = [workload[whole], np.zeros(len(sharing), np.int32), workload[single], workload[ranged]]
    return keys, row, group, np.concatenate(of_key)


def is_explicit(socket: Int64) -> Bool:
    """Which rows of evidence say that their address is held by port; as of `held_sockets`."""
    claim = claims(socket)
    return np.asarray((socket != ANY_SOCKET) & ((claim == 0) | (claim == SHOWN) | (claim == BALANCED)))


def _numbered(address: Ints, socket: Ints, kind: Ints | int) -> Int64:
    return np.asarray(address.astype(np.int64) * _OF_ADDRESS + kind * np.int64(SOCKETS) + socket)


def _split(number: Int64) -> tuple[Int64, Int64, Int64]:
    """Address, kind and socket of each number."""
    address, rest = np.divmod(number, _OF_ADDRESS)
    return address, rest // SOCKETS, rest % SOCKETS
