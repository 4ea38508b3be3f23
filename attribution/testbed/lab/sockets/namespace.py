"""A network namespace of the lab's own: loopback and nothing else, gone when the last thread in it ends."""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from attribution.testbed.lab import LabError

_CLONE_NEWNET: Final = 0x4000_0000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_NAME_AND_FLAGS = "16sh14x"

Result = TypeVar("Result")


def enter_new_namespace() -> None:
    """Move the calling thread into a new network namespace, and bring its loopback up.

    Sockets that the thread makes from now on are in the new namespace. Its older sockets stay where they were.

    Raises:
        LabError: This process has not the right to do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise LabError(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}; it takes CAP_SYS_ADMIN")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack(_NAME_AND_FLAGS, b"lo", 0)
        _, flags = struct.unpack(_NAME_AND_FLAGS, fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack(_NAME_AND_FLAGS, b"lo", flags | _IFF_UP))


@contextmanager
def own_namespace() -> Iterator[int]:
    """A descriptor of the network namespace that the calling thread is in."""
    descriptor = os.open(Path("/proc/thread-self/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def call_in_thread(function: Callable[[], Result]) -> Result:
    """Call the function in a thread of its own; returns or raises what the function does.

    A namespace belongs to a thread, so the caller stays in its own namespace whatever the function enters.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - it goes on in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=call, name="lab", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
