"""Compiles, loads and attaches the program that gives connections to listening sockets (`bpf/sk_lookup.c`).

The program is loaded by the system call itself, so that neither libbpf nor bpftool is needed. If clang is missing, the
object that the package ships is loaded.
"""

import ctypes
import hashlib
import io
import os
import platform
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, Self

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from attribution.testbed.lab import LabError
from attribution.testbed.lab.sockets.namespace import own_namespace
from attribution.testbed.lab.sockets.rules import SocketRule

MAX_RULES: Final = 64
_MAX_LISTENERS: Final = 64

_SYSCALL = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _LINK_CREATE = 0, 2, 5, 28
_ARRAY, _SOCKMAP = 2, 15
_PROGRAM_SK_LOOKUP, _ATTACH_SK_LOOKUP = 30, 36
_PSEUDO_MAP_FD = 1
_SECTION = "sk_lookup"
_LOG_BYTES = 1 << 20
_RULE = "=4s4sHHIi"
_CLANGS = ("clang", *(f"clang-{version}" for version in range(22, 10, -1)))


@dataclass(frozen=True)
class Program:
    """Instructions of a program, places of the maps in them, and where the program came from."""

    instructions: bytes
    maps: tuple[tuple[int, str], ...]
    made_by: str


def source() -> bytes:
    """The C source of the program."""
    return resources.files(__package__).joinpath("bpf/sk_lookup.c").read_bytes()


def compiled(clang: str | None = None) -> Program:
    """The program: compiled by clang if there is a clang that can, and as the package ships it otherwise.

    Args:
        clang: The only clang to try; by default any clang on the path. The empty string means no clang.

    Raises:
        LabError: The given clang does not compile it, or the shipped object is of another source.
    """
    found = next(filter(None, map(shutil.which, _CLANGS)), "") if clang is None else clang
    why = "there being no clang here"
    if found:
        try:
            return parse(_compile(found), made_by=f"compiled by {found}")
        except LabError as error:
            if clang is not None:
                raise
            why = f"for {error}"
    folder = resources.files(__package__).joinpath("bpf")
    if folder.joinpath("sk_lookup.sha256").read_text(encoding="ascii").strip() != hashlib.sha256(source()).hexdigest():
        raise LabError(
            f"cannot take the compiled program of the package, {why}: it is not of its source; install clang"
        )
    return parse(folder.joinpath("sk_lookup.o").read_bytes(), made_by=f"as shipped, {why}")


def _compile(clang: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sk_lookup.o")
        command = [clang, "-target", "bpf", "-O2", "-Wall", "-Werror", "-x", "c", "-c", "-", "-o", str(path)]
        done = subprocess.run(command, input=source(), capture_output=True, check=False)  # noqa: S603 - what was found on the path
        if done.returncode:
            raise LabError(f"{clang} does not compile sk_lookup.c: {done.stderr.decode(errors='replace')[-500:]}")
        return path.read_bytes()


def parse(content: bytes, *, made_by: str) -> Program:
    """The program of an object file.

    Raises:
        LabError: The file holds no program.
    """
    elf = ELFFile(io.BytesIO(content))
    section = elf.get_section_by_name(_SECTION)
    if section is None:
        raise LabError(f"cannot load the program {made_by}: its object has no section {_SECTION}")
    maps: list[tuple[int, str]] = []
    for relocations in elf.iter_sections():
        if isinstance(relocations, RelocationSection) and elf.get_section(relocations["sh_info"]).name == _SECTION:
            symbols = elf.get_section(relocations["sh_link"])
            maps += [(r["r_offset"], symbols.get_symbol(r["r_info_sym"]).name) for r in relocations.iter_relocations()]
    return Program(section.data(), tuple(maps), made_by)


class SkLookup:
    """The program, attached to the network namespace of the calling thread until it is closed.

    Raises:
        LabError: The kernel refuses, for lack of rights, its age, or the architecture.
    """

    def __init__(self, program: Program) -> None:
        self._held = ExitStack()
        self._table = 0
        self._places: dict[str, int] = {}
        with self._held:
            self._rules = self._map(_ARRAY, value_bytes=struct.calcsize(_RULE), entries=2 * MAX_RULES)
            self._control = self._map(_ARRAY, value_bytes=8, entries=1)
            self._listeners = self._map(_SOCKMAP, value_bytes=8, entries=_MAX_LISTENERS)
            maps = {"rules": self._rules, "control": self._control, "listeners": self._listeners}
            loaded = self._keep(_load(program, maps))
            with own_namespace() as namespace:
                request = struct.pack("=IIII", loaded, namespace, _ATTACH_SK_LOOKUP, 0)
                self._keep(_bpf(_LINK_CREATE, request, "attach the program to the network namespace"))
            self._held = self._held.pop_all()

    def listen(self, service: str, listener: socket.socket) -> None:
        """Give the connections to a service to this listening socket."""
        place = self._places.setdefault(service, len(self._places))
        _update(self._listeners, place, struct.pack("=Q", listener.fileno()), f"hand over the socket of {service}")

    def put(self, rules: Sequence[SocketRule]) -> None:
        """Replace all rules by these. The first rule that fits a connection decides.

        Raises:
            LabError: There are too many rules, or a rule is for IPv6 or for a service without a listener.
        """
        if len(rules) > MAX_RULES:
            raise LabError(f"cannot put {len(rules)} socket rules in force: the program has room for {MAX_RULES}")
        table = 1 - self._table
        for number, rule in enumerate(rules):
            _update(self._rules, table * MAX_RULES + number, self._packed(rule), f"write the rule {rule.rule}")
        _update(self._control, 0, struct.pack("=Q", table << 32 | len(rules)), "put the rules in force")
        self._table = table

    def close(self) -> None:
        """Detach the program."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _packed(self, rule: SocketRule) -> bytes:
        if rule.service not in self._places or not isinstance(rule.network, IPv4Network):
            raise LabError(f"cannot put the socket rule {rule.rule} in force: it is not for IPv4, or nobody listens")
        network, mask = rule.network.network_address.packed, rule.network.netmask.packed
        place = self._places[rule.service]
        return struct.pack(_RULE, network, mask, rule.ports.start, rule.ports.stop - 1, rule.protocol or 0, place)

    def _map(self, kind: int, *, value_bytes: int, entries: int) -> int:
        return self._keep(_bpf(_MAP_CREATE, struct.pack("=IIIII", kind, 4, value_bytes, entries, 0), "make a map"))

    def _keep(self, descriptor: int) -> int:
        self._held.callback(os.close, descriptor)
        return descriptor


def _load(program: Program, maps: dict[str, int]) -> int:
    code = bytearray(program.instructions)
    for offset, name in program.maps:
        code[offset + 1] |= _PSEUDO_MAP_FD << 4  # the source register says what the constant is
        code[offset + 4 : offset + 8] = struct.pack("=I", maps[name])
    instructions = ctypes.create_string_buffer(bytes(code), len(code))
    licence, log = ctypes.create_string_buffer(b"Apache-2.0"), ctypes.create_string_buffer(_LOG_BYTES)

    def load(level: int) -> int:
        where = (level, _LOG_BYTES, ctypes.addressof(log)) if level else (0, 0, 0)
        request = struct.pack(
            "=IIQQIIQII16sII", _PROGRAM_SK_LOOKUP, len(code) // 8, ctypes.addressof(instructions),
            ctypes.addressof(licence), *where, 0, 0, b"dispatch", 0, _ATTACH_SK_LOOKUP,
        )  # fmt: skip
        return _bpf(_PROG_LOAD, request, f"load the program {program.made_by}")

    try:
        return load(0)
    except LabError as error:
        # The verifier tells its whole way; only a failure is worth the room.
        with suppress(LabError):
            load(1)
        said = log.value.decode(errors="replace").strip().splitlines()[-2:]
        raise LabError("; ".join([str(error), *said])) from None


def _update(descriptor: int, place: int, value: bytes, what: str) -> None:
    key, data = ctypes.create_string_buffer(struct.pack("=I", place), 4), ctypes.create_string_buffer(value, len(value))
    _bpf(_MAP_UPDATE, struct.pack("=IxxxxQQQ", descriptor, ctypes.addressof(key), ctypes.addressof(data), 0), what)


def _bpf(command: int, request: bytes, what: str) -> int:
    """The system call `bpf`.

    Raises:
        LabError: The call failed, or its number is not known for this architecture.
    """
    number = _SYSCALL.get(platform.machine())
    if number is None or platform.system() != "Linux":
        raise LabError(f"cannot {what}: sk_lookup is known here for Linux on {' and '.join(_SYSCALL)} only")
    attributes = ctypes.create_string_buffer(request, len(request))
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, command, attributes, len(request))
    if result < 0:
        raise LabError(f"cannot {what}: {os.strerror(ctypes.get_errno())}")
    return result
