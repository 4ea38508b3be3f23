"""Accepts connections on listening sockets, and has each served by a task of its own."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

Endpoint = tuple[str, int]
Work = Coroutine[Any, Any, None]

#: So many at once; then others have their turn.
_BATCH: Final = 64


class Acceptor:
    """Tasks for connections, all ended together.

    A connection is accepted and its task made in one step. Where asyncio's own servers are closed between the two, the
    connection is lost without being closed.
    """

    def __init__(self) -> None:
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def accept_on(self, listener: socket.socket, serve: Callable[[socket.socket, Endpoint], Work | None]) -> None:
        """Accept from now on.

        Args:
            listener: A listening socket that does not block. It stays the caller's to close.
            serve: Called with each connection as soon as it is accepted; returns what is to be done with it.
        """

        def ready() -> None:
            with suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
                for _ in range(_BATCH):
                    accepted, remote = listener.accept()
                    accepted.setblocking(False)
                    work = serve(accepted, remote)
                    if work is not None:
                        self.run(work)

        self._listeners.append(listener)
        asyncio.get_running_loop().add_reader(listener.fileno(), ready)

    def run(self, work: Work) -> None:
        """Have something done, until it is done or all is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Accept no more, and end what is being done."""
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        self._listeners.clear()
        await asyncio.sleep(0)  # a task that is cancelled before it began would never close its connection
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
