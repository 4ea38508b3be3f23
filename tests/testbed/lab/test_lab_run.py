"""Whole runs of the lab: what is written is what happened, and a replay of it names nothing wrongly."""

import asyncio
import json
import ssl
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pasted import run_pasted

from attribution.cli import cli
from attribution.config import SECOND, Settings
from attribution.testbed.evaluate.evaluate import evaluate
from attribution.testbed.lab import LabError
from attribution.testbed.lab import run as lab_run
from attribution.testbed.lab.journal import Journal
from attribution.testbed.lab.record import lateness, settings, summary, write
from attribution.testbed.lab.run import SHARED_CLIENTS, SHARED_RESOLVER, SUBNET_CLIENTS, SUBNET_RESOLVER, now, play
from attribution.testbed.lab.scenarios import CLIENT_SPACE, ELSEWHERE_POOL, FIRST_POOL, SECOND_POOL, preset
from attribution.testbed.lab.sockets.listeners import wildcard
from attribution.testbed.lab.web.certificates import Certificates, covers
from attribution.testbed.lab.web.server import WebServers

#: Few clients, for a machine that has other things to do.
SMALL = {"clients": 20, "seconds": 5.0, "names": 40, "ttl": 1.0, "overstay": 3.0, "pause": 0.4}


def command(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def changed():
    """A run in which the pool is exchanged, by the best way of accepting that there is here."""
    scenario = replace(preset("policy-change"), **SMALL, record_sni=0.2, resolved_share=0.5, overstay_share=0.4)
    return play(scenario, seed=3)


@pytest.fixture(scope="module")
def leaked():
    """A run on wildcard sockets to which clients of another data centre come."""
    return play(
        replace(preset("route-leak"), **SMALL | {"seconds": 3.0}, leaked_share=0.3), seed=4, dispatch="wildcard"
    )


@pytest.fixture(scope="module")
def static_and_single():
    """A run with an address for each name, and one with one address for all."""
    parameters = SMALL | {"clients": 8, "pause": 0.1, "seconds": 2.5, "ttl": 3.0}
    return [play(replace(preset(name), **parameters), seed=5) for name in ("static", "one-address")]


@pytest.fixture(scope="module")
def folders(changed, leaked, static_and_single, tmp_path_factory):
    """Runs as files, with flows of the clients."""
    made = {}
    for name, outcome in (("changed", changed), ("leaked", leaked), ("single", static_and_single[1])):
        made[name] = tmp_path_factory.mktemp("lab") / name
        write(outcome, made[name], client_view=True)
    return made


@pytest.fixture(scope="module")
def lakes(folders, tmp_path_factory):
    """What a replay of the files makes of them."""
    made = {}
    for name, folder in folders.items():
        made[name] = tmp_path_factory.mktemp("lake") / name
        done = command(
            "replay", "--flows", folder / "flows.jsonl", "--name-bindings", folder / "name_bindings.jsonl",
            "--policies", folder / "policies.jsonl", "--socket-rules", folder / "socket_rules.jsonl",
            "--config", folder / "settings.toml", "--out", made[name],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    return made


def arrived(outcome, prefix):
    return [one for one in outcome.journal.arrivals if ip_address(one.local[0]) in ip_network(prefix)]


# What happens


def test_both_ends_saw_the_same_connections(changed, leaked):
    for outcome in (changed, leaked):
        journal = outcome.journal
        assert len(journal.arrivals) > 20
        ours = {(one.local, one.remote): one for one in journal.arrivals}
        theirs = {(one.remote, one.local): one for one in journal.departures}
        assert ours.keys() == theirs.keys()
        for key, one in ours.items():
            other = theirs[key]
            assert (one.hostname, one.requested) == (other.hostname, other.requested)
            assert (one.bytes_sent, one.bytes_received) == (other.bytes_received, other.bytes_sent)
            assert other.start <= one.start <= one.end
        assert journal.refused == 0
        assert not journal.failures


def test_every_connection_was_opened_on_an_answer_that_the_client_or_its_resolver_was_told(changed):
    told = defaultdict(list)
    for one in changed.told:
        client = one.client_prefix or {SHARED_RESOLVER: SHARED_CLIENTS}.get(one.client_address, one.client_address)
        told[client, one.server_address, one.hostname].append(one.time)
    for one in changed.journal.departures:
        clients = [p for p in (SHARED_CLIENTS, SUBNET_CLIENTS) if ip_address(one.local[0]) in ip_network(p)]
        times = told[(clients or [one.local[0]])[0], one.remote[0], one.hostname]
        assert any(time <= one.start + SECOND for time in times)


def test_resolvers_are_on_record_as_they_asked(changed):
    askers = {(one.client_address, one.client_prefix) for one in changed.told}
    assert {(SUBNET_RESOLVER, SUBNET_CLIENTS), (SHARED_RESOLVER, None)} <= askers
    assert not any(ip_address(client) in ip_network(SUBNET_CLIENTS) for client, prefix in askers if prefix is None)


def test_after_the_change_of_policy_names_are_told_other_addresses_and_some_still_come_to_the_old_ones(changed):
    change = next(policy.start for policy in changed.policies if policy.pool == "second")
    old, new = ip_network(FIRST_POOL), ip_network(SECOND_POOL)
    for one in changed.told:
        if not one.policy.endswith("enterprise"):
            assert ip_address(one.server_address) in (new if one.time >= change else old)
    assert {one.policy for one in changed.told} == {"lon", "lon-enterprise"}
    stale = [one for one in arrived(changed, FIRST_POOL) if one.start >= change]
    bound = changed.scenario.ttl + changed.scenario.overstay + 1 + lateness(changed)
    assert stale
    assert all(one.start <= change + bound * SECOND for one in stale)
    assert arrived(changed, SECOND_POOL)


def test_services_get_connections_by_the_rules_in_force(changed, leaked):
    for outcome in (changed, leaked):
        counts = Counter(one.service for one in outcome.journal.arrivals)
        assert {"web", "api"} <= set(counts) <= {"web", "web-canary", "api", "api-next"}
        canary = ip_network(outcome.scenario.canary)
        inside = {(one.service, ip_address(one.local[0]) in canary) for one in outcome.journal.arrivals}
        assert not inside & {("web-canary", False), ("web", True)}
        change = next(rule.start for rule in outcome.rules if rule.service == "api-next")
        late = lateness(outcome) * SECOND
        for one in outcome.journal.arrivals:
            if one.service in {"api", "api-next"} and abs(one.start - change) > late:
                assert one.service == ("api" if one.start < change else "api-next")


def test_who_was_sent_astray_arrives_at_the_other_data_centres_addresses(leaked):
    astray = arrived(leaked, ELSEWHERE_POOL)
    assert 0.05 < len(astray) / len(leaked.journal.arrivals) < 0.7
    assert {one.remote[0].rsplit(".", 2)[0] for one in astray} == {"127.131"}


def test_fewer_connections_carry_the_requests_where_one_address_serves_all_names(static_and_single):
    static, single = (summary(outcome)["requests_per_connection"] for outcome in static_and_single)
    assert single > 1.5 * static


def test_a_run_ends_by_itself_and_leaves_no_thread_behind(changed):
    assert changed.end - changed.start < (changed.scenario.seconds + 15) * SECOND
    assert not [thread for thread in threading.enumerate() if thread.name == "lab"]


def test_a_run_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(lab_run, "_GRACE_S", -0.9)
    with pytest.raises(LabError, match=r"not over -0\.9 s after its 1 s: this machine is too busy for 3 clients"):
        play(replace(preset("pool-24"), seconds=1.0, clients=3, names=5), seed=1, dispatch="wildcard")


# What servers and certificates do


def test_certificates_cover_the_names_of_their_zones():
    def of(*names):
        return {"subjectAltName": tuple(("DNS", name) for name in names)}

    assert covers(of("*.free.example"), "a.free.example")
    assert covers(of("a.free.example"), "a.free.example")
    assert not covers(of("*.free.example"), "a.b.free.example")
    assert not covers(of("*.free.example"), "free.example")
    assert not covers({}, "a.free.example")
    certificates = Certificates()
    assert certificates.together("a.free.example", "b.business.example")
    assert not certificates.together("a.free.example", "b.enterprise.example")


def conversation(hostname, *requests):
    """What a server says to each request on one connection that is opened for a name; and what it saw."""
    journal, certificates = Journal(), Certificates()

    async def talk(listeners):
        servers = WebServers(listeners, certificates, journal, clock=now)
        servers.start()
        reader, writer = await asyncio.open_connection(
            "127.64.0.5", listeners.ports.web, ssl=certificates.client_context(), server_hostname=hostname
        )
        said = []
        for request in requests:
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            said.append(head.split(b" ")[1].decode())
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
        writer.close()
        await writer.wait_closed()
        await servers.close()
        return said

    with wildcard() as listeners:
        listeners.put(preset("pool-24").rules(listeners.ports, 0)[:1])
        try:
            return asyncio.run(talk(listeners)), journal
        except (ssl.SSLError, ConnectionError):
            return "refused", journal


def test_one_connection_carries_requests_for_all_names_of_its_certificate():
    get = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n".format
    hosts = ["a.free.example", "B.business.example", "c.enterprise.example", "a.free.example"]
    said, journal = conversation("a.free.example", *map(get, hosts), "POST / HTTP/1.1\r\n\r\n")
    assert said == ["200", "200", "421", "200", "400"]
    (one,) = journal.arrivals
    assert (one.service, one.hostname) == ("web", "a.free.example")
    assert one.requested == ["a.free.example", "b.business.example", "a.free.example"]


def test_a_name_that_no_certificate_covers_is_refused_and_the_attempt_is_on_record():
    said, journal = conversation("a.else.example", "")
    assert said == "refused"
    assert [(one.hostname, one.requested) for one in journal.arrivals] == [(None, [])]


# What is written


def test_flows_carry_the_name_only_in_the_share_that_is_asked_for(folders):
    counts = {}
    for name, folder in folders.items():
        rows = [json.loads(line) for line in (folder / "flows.jsonl").read_text().splitlines()]
        counts[name] = sum("hostname" in row for row in rows) / len(rows)
    assert counts["leaked"] == counts["single"] == 0
    assert counts["changed"] == pytest.approx(0.2, abs=0.08)


def test_the_files_and_the_summary_agree(folders, changed):
    folder = folders["changed"]
    document = json.loads((folder / "lab.json").read_text())
    for name, rows in document["rows"].items():
        path = folder / name
        found = pq.read_metadata(path).num_rows if name.endswith("parquet") else len(path.read_text().splitlines())
        assert found == rows
    assert document["rows"]["flows.jsonl"] == 2 * document["connections"] == 2 * len(changed.journal.arrivals)
    assert document["dispatch"] == changed.how
    truth = pq.read_table(folder / "truth.parquet").to_pylist()
    assert {row["policy_state"] for row in truth} == {"in_force", "ended"}
    assert all(row["hostname"] in row["hostnames"] for row in truth)


def test_settings_allow_for_answers_that_are_kept_and_for_a_busy_machine(changed, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(settings(replace(changed, lag=2.2)))
    read = Settings.from_toml(path)
    assert read.clock_tolerance >= 2.7 * SECOND
    assert read.name_stretch == 4 * SECOND
    longest = max(one.end - one.start for one in changed.journal.departures)
    assert longest <= read.connection_lifetime < longest + 2 * SECOND
    assert read.clients_of_resolvers == ((SHARED_RESOLVER, SHARED_CLIENTS),)
    assert read.named_prefixes == (CLIENT_SPACE,)


def test_a_folder_that_holds_something_else_is_left_alone(changed, tmp_path):
    (tmp_path / "mine.txt").write_text("dear")
    with pytest.raises(LabError, match="holds something else"):
        write(changed, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    again = tmp_path / "lab"
    first = write(changed, again)
    assert write(changed, again, client_view=True)["flows.jsonl"] == 2 * first["flows.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab", "mine.txt"]


def test_a_run_without_a_connection_is_not_written(changed, tmp_path):
    with pytest.raises(LabError, match="no connection was made"):
        write(replace(changed, journal=Journal()), tmp_path / "lab")
    assert not list(tmp_path.iterdir())


# What attribution makes of it


@pytest.mark.parametrize("name", ["changed", "leaked", "single"])
def test_nothing_is_named_wrongly(name, lakes, folders):
    result = evaluate(lakes[name], folders[name] / "truth.parquet", names=folders[name] / "name_bindings.parquet")
    names = result.names
    assert result.misattributed == result.lost == result.repeated == result.foreign == 0
    assert (names.wrong, names.wrong_policies, names.without_truth) == (0, 0, 0)
    # One address for all names leaves none of them to a busy client.
    assert name == "single" or names.coverage > 0
    evidence = Counter()
    for row in names.by_evidence():
        evidence[row["hostname_reason" if "hostname_reason" in row else "reason"]] += row["flows"]
    assert evidence["several" if name == "single" else "told"] > 0
    assert (evidence["recorded"] > 0) == (name == "changed")
    assert evidence["untold"] == 0


def test_the_last_name_seen_for_the_address_would_be_wrong(lakes, folders):
    truth, names = folders["single"] / "truth.parquet", folders["single"] / "name_bindings.parquet"
    systems = {row["system"]: row for row in evaluate(lakes["single"], truth, names=names).names.systems()}
    (last,) = [row for system, row in systems.items() if system.startswith("last name seen")]
    assert last["wrong"] > 0


def agility(question, lake):
    done = command("agility", question, lake, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_the_route_leak_is_found_with_all_of_its_flows(lakes, leaked):
    arrivals = len(arrived(leaked, ELSEWHERE_POOL))
    (found,) = [row for row in agility("astray", lakes["leaked"]) if row["logged_by"] == "server"]
    assert (found["kind"], found["pool"], found["data_centre"], found["flows"]) == ("elsewhere", "fra", "lon", arrivals)
    assert {row["network"].rsplit(".", 2)[0] for row in found["clients"]} == {"127.131"}


def test_traffic_on_old_answers_is_found_and_within_its_bound(lakes, changed, folders):
    # Nearer to the change, a clock's tolerance leaves both policies.
    tolerance = Settings.from_toml(folders["changed"] / "settings.toml").clock_tolerance
    end = next(policy.end for policy in changed.policies if policy.end is not None)
    late = [one for one in arrived(changed, FIRST_POOL) if one.start - tolerance > end]
    found = [row for row in agility("stale", lakes["changed"]) if row["logged_by"] == "server"]
    assert [(row["pool"], row["flows"], row["beyond"]) for row in found] == ([("first", len(late), 0)] if late else [])


# The command


def test_the_command_plays_and_says_how(tmp_path):
    done = command(
        "lab", "run", "--scenario", "one-address", "--clients", 5, "--seconds", 1, "--names", 10,
        "--dispatch", "wildcard", "--out", tmp_path / "lab",
    )  # fmt: skip
    assert done.exit_code == 0
    assert "Connections came to services by wildcard sockets." in done.output
    assert "scenario one-address" in done.output
    assert (tmp_path / "lab" / "truth.parquet").is_file()
    verbs, _ = run_pasted(done.output)
    assert verbs == ["replay", "evaluate", "agility", "agility"]


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, tmp_path):
    for module in [
        name for name in sys.modules if name.split(".")[0] == "trustme" or name.startswith("attribution.testbed.lab.")
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(LabError, match=r"trustme is not installed.*flow-attribution\[lab\]") as raised:
        command("lab", "run", "--out", tmp_path / "lab")
    assert not (tmp_path / "lab").exists()
    assert raised.value.__cause__ is not None
