"""Accepts connections on listening sockets, and serves each in a task of its own."""

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

    Accepting a connection and making its task are one step. asyncio's own servers have two steps, and a server that is
    closed between them loses the connection without closing it.
    """

    def __init__(self) -> None:
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def accept_on(self, listener: socket.socket, serve: Callable[[socket.socket, Endpoint], Work | None]) -> None:
        """Accept from now on.

        Args:
            listener: A listening socket that does not block. It stays the caller's to close.
            serve: Called with each connection as soon as it is accepted; returns the work for its task, or None.
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
        """Run some work in a task, until it is done or `close` is called."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Accept no more, and end all tasks."""
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        self._listeners.clear()
        await asyncio.sleep(0)  # a task that is cancelled before it began would never close its connection
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
