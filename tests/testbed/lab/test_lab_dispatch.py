"""Sockets that accept on every address: the program in the kernel where it can be had, wildcard sockets elsewhere."""

import hashlib
import shutil
import socket
from contextlib import ExitStack
from importlib import resources

import pytest

from attribution.testbed.lab import LabError
from attribution.testbed.lab.run import play
from attribution.testbed.lab.scenarios import Ports, Scenario
from attribution.testbed.lab.sockets import sk_lookup
from attribution.testbed.lab.sockets.listeners import UnavailableError, by_program, wildcard
from attribution.testbed.lab.sockets.namespace import call_in_thread, enter_new_namespace
from attribution.testbed.lab.sockets.rules import SocketRule, in_order

BPF = resources.files("attribution.testbed.lab.sockets").joinpath("bpf")
RULES = [
    SocketRule(rule="web", prefix="127.64.0.0/20", port=443, service="web", protocol=6),
    SocketRule(rule="canary", prefix="127.64.8.0/21", port=443, service="canary", protocol=6),
    SocketRule(rule="api", prefix="127.64.0.0/20", port=8443, last_port=8445, service="api"),
    SocketRule(rule="one", prefix="127.64.9.9/32", service="api", priority=5),
    SocketRule(rule="udp", prefix="127.64.0.0/20", port=9000, service="web", protocol=17),
]
SERVICES = ("web", "canary", "api")
TRIED = [
    (("127.64.0.0", 443), "web"),
    (("127.64.7.255", 443), "web"),
    (("127.64.8.0", 443), "canary"),
    (("127.64.15.255", 443), "canary"),
    (("127.64.9.9", 443), "api"),
    (("127.64.3.3", 8443), "api"),
    (("127.64.3.3", 8445), "api"),
    (("127.64.3.3", 8446), None),
    (("127.64.16.0", 443), None),
    (("127.64.3.3", 9000), None),
]


def why_not():
    """Why no program can be had here; empty where it can."""

    def probe():
        with by_program(["web"]):
            return ""

    try:
        return call_in_thread(probe)
    except UnavailableError as error:
        return str(error)


WHY_NOT = why_not()
needs_program = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def who_accepts(listeners, endpoint):
    """The service whose socket gets a connection to this endpoint; None where it is refused."""
    with ExitStack() as held:
        try:
            client = held.enter_context(socket.create_connection(endpoint, timeout=2))
        except ConnectionRefusedError:
            return None
        found = []
        for service, listener in listeners.items():
            try:
                accepted, peer = listener.accept()
            except BlockingIOError:
                continue
            with accepted:
                assert accepted.getsockname() == endpoint
                assert peer == client.getsockname()
            found.append(service)
        (service,) = found
        return service


def in_namespace(work, program):
    """What `work` returns of a program that is attached and the listener of each service."""

    def run():
        enter_new_namespace()
        with ExitStack() as held:
            listeners = {}
            for service in SERVICES:
                listeners[service] = held.enter_context(socket.create_server(("127.0.0.1", 0)))
                listeners[service].setblocking(False)
            lookup = held.enter_context(sk_lookup.SkLookup(program))
            for service, listener in listeners.items():
                lookup.listen(service, listener)
            return work(lookup, listeners)

    return call_in_thread(run)


@needs_program
@pytest.mark.parametrize("clang", [None, ""], ids=["clang, where there is one", "shipped"])
def test_the_program_gives_connections_to_services_by_the_rules(clang):
    def work(lookup, listeners):
        lookup.put(in_order(RULES))
        return [who_accepts(listeners, endpoint) for endpoint, _ in TRIED]

    assert in_namespace(work, sk_lookup.compiled(clang)) == [service for _, service in TRIED]


@needs_program
def test_rules_change_all_at_once_and_without_rules_or_program_nobody_accepts():
    endpoint = ("127.64.0.7", 443)

    def work(lookup, listeners):
        said = [who_accepts(listeners, endpoint)]
        for service in ("web", "canary", "web"):
            lookup.put([SocketRule(rule="r", prefix="127.64.0.0/24", service=service)])
            said.append(who_accepts(listeners, endpoint))
        lookup.put([])
        said.append(who_accepts(listeners, endpoint))
        lookup.put([SocketRule(rule="r", prefix="127.64.0.0/24", service="web")])
        lookup.close()
        return [*said, who_accepts(listeners, endpoint)]

    assert in_namespace(work, sk_lookup.compiled()) == [None, "web", "canary", "web", None, None]


@needs_program
def test_rules_that_the_program_has_no_room_for_or_nobody_listens_for_are_refused():
    def work(lookup, _listeners):
        with pytest.raises(LabError, match="room for 64"):
            lookup.put(RULES * 20)
        for wrong in (
            SocketRule(rule="lost", prefix="127.64.0.0/24", service="nobody"),
            SocketRule(rule="lost", prefix="2001:db8::/64", service="web"),
        ):
            with pytest.raises(LabError, match="the socket rule lost"):
                lookup.put([wrong])

    in_namespace(work, sk_lookup.compiled())


@needs_program
def test_a_namespace_of_its_own_leaves_the_caller_where_it_was():
    with socket.create_server(("127.0.0.1", 0)) as here:

        def elsewhere():
            enter_new_namespace()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(here.getsockname(), timeout=2)

        call_in_thread(elsewhere)
        socket.create_connection(here.getsockname(), timeout=2).close()


@pytest.mark.skipif(
    shutil.which("clang-14") is None, reason="there is no clang-14 here, which the shipped object is from"
)
def test_clang_14_makes_the_very_bytes_that_are_shipped():
    assert sk_lookup._compile("clang-14") == BPF.joinpath("sk_lookup.o").read_bytes()


def test_what_is_shipped_was_compiled_from_the_source_that_is_shipped():
    assert BPF.joinpath("sk_lookup.sha256").read_text().strip() == hashlib.sha256(sk_lookup.source()).hexdigest(), (
        "compile attribution/testbed/lab/sockets/bpf/sk_lookup.c anew: docs/decisions/0018-lab-libraries.md says how"
    )
    program = sk_lookup.compiled("")
    assert {name for _, name in program.maps} == {"rules", "control", "listeners"}
    assert len(program.instructions) % 8 == 0


def test_a_stale_program_is_not_taken(monkeypatch):
    monkeypatch.setattr(sk_lookup, "source", lambda: b"another one")
    with pytest.raises(LabError, match="not of its source; install clang"):
        sk_lookup.compiled("")


def test_a_clang_that_cannot_is_done_without_unless_it_was_asked_for(monkeypatch, tmp_path):
    clang = tmp_path / "clang"
    clang.write_text("#!/bin/sh\necho 'no such target: bpf' >&2\nexit 1\n")
    clang.chmod(0o755)
    with pytest.raises(LabError, match="does not compile"):
        sk_lookup.compiled(str(clang))
    monkeypatch.setenv("PATH", str(tmp_path))
    made_by = sk_lookup.compiled().made_by
    assert made_by.startswith(f"as shipped, for {clang} does not compile sk_lookup.c: no such target: bpf")


def test_a_kernel_that_refuses_is_told_apart_from_a_lab_that_fails(monkeypatch):
    monkeypatch.setattr(sk_lookup.platform, "machine", lambda: "pdp11")
    scenario = Scenario(name="x", clients=1, seconds=0.3, names=3)
    with pytest.raises(UnavailableError, match=r"no sk_lookup program here: .*"):
        play(scenario, seed=1, dispatch="sk_lookup")
    outcome = play(scenario, seed=1)
    assert outcome.how.startswith("wildcard sockets (no sk_lookup program here: cannot")
    assert play(scenario, seed=1, dispatch="wildcard").how == "wildcard sockets"


def test_wildcard_sockets_get_what_comes_over_loopback_only():
    with wildcard() as listeners:
        for door in listeners.doors:
            device = door.socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
            assert device.rstrip(b"\0") == b"lo"


def test_a_system_that_cannot_keep_sockets_on_loopback_runs_no_lab(monkeypatch):
    monkeypatch.delattr(socket, "SO_BINDTODEVICE")
    with pytest.raises(LabError, match="cannot keep the lab on loopback"), wildcard():
        pass


def test_wildcard_sockets_accept_on_every_address_and_apply_the_rules_in_force():
    with wildcard("for want of better") as listeners:
        assert listeners.how == "wildcard sockets (for want of better)"
        assert listeners.ports != Ports()
        rule = SocketRule(rule="r", prefix="127.64.0.0/24", port=listeners.ports.web, service="web")
        listeners.put([rule])
        for door in listeners.doors:
            address, port = "127.64.0.9", door.socket.getsockname()[1]
            with socket.create_connection((address, port), timeout=2):
                accepted, _ = door.socket.accept()
                with accepted:
                    assert accepted.getsockname() == (address, port)
            assert door.service_of(address, port) == ("web" if port == listeners.ports.web else None)
        listeners.put([])
        assert listeners.doors[0].service_of("127.64.0.9", listeners.ports.web) is None
