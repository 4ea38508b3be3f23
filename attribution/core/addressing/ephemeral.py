"""Ephemeral sockets: ports that are given out per connection, and so to another workload within moments."""

from typing import Any

import numpy as np

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, split_sockets
from attribution.core.columnar.types import Bool, Ints


def translated(addresses: Any, settings: Settings) -> Bool:
    """Which addresses, Arrow text, a translator stands before."""
    if not settings.translated_prefixes:
        return np.zeros(len(addresses), np.bool_)
    return PrefixTable.of_prefixes(settings.translated_prefixes).contains(addresses)


def ephemeral(socket: Ints, is_translated: Bool, settings: Settings) -> Bool:
    """Which rows of evidence are about one socket that is given out per connection.

    Args:
        socket: as of `sockets.held_sockets`.
        is_translated: whether the address of each is a translated one.
        settings: the settings of the rules.
    """
    ports, port = settings.ports_of_connections, split_sockets(socket)[1]
    single = (socket != ANY_SOCKET) & (socket < SOCKETS)
    return np.asarray(single & (is_translated | ((port >= ports.start) & (port < ports.stop))))
