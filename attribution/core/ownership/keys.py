"""The keys that heartbeats are evidence for.

A heartbeat of one socket is evidence twice. It says who holds the key (address, socket). It also says that the address
is shared by port, whoever the heartbeat names. A heartbeat of a range of ports is evidence for each port block that it
holds (`attribution.core.addressing.port_blocks`).
"""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.addressing.places import split_places
from attribution.core.addressing.port_blocks import PortBlocks
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, ephemeral, translated
from attribution.core.columnar.types import Bool, Int32, Int64, Ints
from attribution.core.ownership.heartbeats import Heartbeats


@dataclass(frozen=True)
class Keys:
    """The keys that have evidence, numbered as groups.

    The groups are, in this order: whole addresses; addresses that are shared; single sockets; port blocks; ranges of
    ports that are no block by themselves.

    Attributes:
        addresses: number of addresses; group i is the whole address i.
        shared: the addresses with evidence of ports, and all translated addresses, sorted. The group of such an address
            says when any of this evidence was seen.
        socket_keys: sorted `address * SOCKETS + socket` of the single sockets.
        ephemeral: which single sockets are given out per connection.
        blocks: the port blocks, and the ranges of ports that are no block by themselves.
    """

    addresses: int
    shared: Int64
    socket_keys: Int64
    ephemeral: Bool
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
    on_shared = by_port | behind[address] if behind.any() else by_port
    if not on_shared.any():
        nothing = np.zeros(0, np.int64)
        keys = Keys(addresses, nothing, nothing, np.zeros(0, np.bool_), PortBlocks.of(nothing, nothing))
        return keys, np.arange(len(address)), address, workload
    whole = np.flatnonzero(~by_port)
    sharing = np.flatnonzero(on_shared)
    shared, of_shared = np.unique(address[sharing], return_inverse=True)
    single = np.flatnonzero(by_port & (socket < SOCKETS))
    socket_keys, of_socket = np.unique(address[single] * SOCKETS + socket[single], return_inverse=True)
    per_connection = ephemeral(socket_keys % SOCKETS, behind[socket_keys // SOCKETS], settings)
    ranged = np.flatnonzero(socket >= SOCKETS)
    blocks = PortBlocks.of(address[ranged], socket[ranged])
    of_range, of_block = blocks.expand(address[ranged], socket[ranged])
    ranged = ranged[of_range]
    keys = Keys(addresses, shared, socket_keys, per_connection, blocks)
    row = np.concatenate([whole, sharing, single, ranged])
    group = np.concatenate(
        [address[whole], addresses + of_shared, keys.first_socket + of_socket, keys.first_block + of_block]
    )
    # An address is shared whoever shares it: all evidence of that speaks for one workload.
    of_key = [workload[whole], np.zeros(len(sharing), np.int32), workload[single], workload[ranged]]
    return keys, row, group, np.concatenate(of_key)
