"""The mutable timeline: case by case, held to the oracle, and to the columnar index on a history too large for it."""

import random
from dataclasses import replace

import oracle
import pytest
import records
import strategies
from hypothesis import assume, event, given
from hypothesis import strategies as st
from oracle import Evidence, Heartbeat
from timelines import Timelines

from attribution.config import Settings
from attribution.core.addressing.sockets import Socket
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.lookup import Ownership
from attribution.core.timeline.address_timeline import AddressTimeline
from attribution.core.timeline.answer import AskedKey, Claim
from attribution.core.timeline.networks import AskedNetworks
from attribution.core.timeline.timeline import OwnershipRange, Timeline

TOL, GAP = 10, 60
SETTINGS = Settings(clock_tolerance=TOL, max_gap=GAP, hold=100, retention=1_000)


def timeline(*heartbeats, settings=SETTINGS):
    """A timeline of (workload, start, end) or (workload, start, end, socket)."""
    made = Timeline(settings)
    for workload, start, end, *socket in heartbeats:
        made.add(socket[0] if socket else None, workload, f"{workload}-service", start, end)
    return made


def named(answer):
    return answer.reason, answer.workload, answer.distance


def tcp(port):
    return Socket(6, port)


def claim(workload, start, end, *, socket=None):
    return Claim(socket, workload, f"{workload}-service", start, end)


# The rules, one at a time, with the evidence that is shown for them --------------------------------------------------


def test_a_piece_that_covers_the_start_names_its_workload():
    answer = timeline(("w", 100, 200), ("w", 205, 300)).ask(None, 202, 250)
    assert named(answer) == ("covered", "w", 0)
    assert answer.service == "w-service"
    assert answer.evidence == (claim("w", 100, 300),)
    assert answer.alternatives == ()


def test_a_range_that_bridges_the_start_names_its_workload_and_how_far_it_was_seen():
    answer = timeline(("w", 100, 100), ("w", 160, 160)).ask(None, 120, 500)
    assert named(answer) == ("bridged", "w", 20)


def test_the_range_of_a_window_must_cover_all_of_it():
    made = timeline(("w", 100, 100), ("w", 150, 150), ("w", 200, 200))
    assert named(made.ask(None, 115, 180, basis="window")) == ("bridged", "w", 15)
    assert named(made.ask(None, 115, 195, basis="window")) == ("gap", None, None)


def test_two_workloads_in_the_asked_interval_are_a_conflict_and_both_are_shown():
    answer = timeline(("old", 100, 150), ("new", 160, 300), ("later", 500, 500)).ask(None, 155, 400)
    assert named(answer) == ("conflict", None, None)
    assert answer.evidence == (claim("old", 100, 150), claim("new", 160, 300))
    assert answer.alternatives == (claim("later", 500, 500),)


def test_a_hole_in_the_asked_interval_leaves_the_flow_unattributed_and_is_shown():
    made = timeline(("w", 100, 100), ("w", 160, 160), ("guest", 115, 115))
    answer = made.ask(None, 140, 200)
    assert named(answer) == ("gap", None, None)
    assert answer.holes == ((100, 160),)
    assert answer.evidence == (claim("w", 100, 160),)
    assert answer.alternatives == (claim("guest", 115, 115),)


def test_a_gap_within_the_tolerance_is_a_hole_where_another_workload_was_seen_in_it():
    made = timeline(("w", 100, 200), ("w", 208, 300), ("guest", 204, 204))
    assert named(made.ask(None, 219, 219)) == ("covered", "w", 0)
    assert named(made.ask(None, 218, 218)) == ("gap", None, None)


def test_who_alone_is_seen_during_a_connection_was_there_when_it_began():
    answer = timeline(("w", 150, 150), ("after", 400, 400)).ask(None, 100, 200)
    assert named(answer) == ("within", "w", 50)
    assert answer.evidence == (claim("w", 150, 150),)


def test_a_window_is_never_attributed_to_who_was_seen_within_it():
    assert named(timeline(("w", 150, 150)).ask(None, 100, 200, basis="window")) == ("gap", None, None)


@pytest.mark.parametrize(("start", "reason"), [(149, "bridged"), (150, "covered"), (151, "bridged")])
def test_a_gap_that_only_touches_the_asked_interval_leaves_it_covered(start, reason):
    made = timeline(("w", 100, 120), ("w", 140, 160), ("w", 180, 200))
    assert named(made.ask(None, start, start)) == (reason, "w", 0)


@pytest.mark.parametrize(("start", "reason"), [(89, "covered"), (90, "gap"), (170, "gap"), (171, "covered")])
def test_a_hole_that_only_touches_the_asked_interval_leaves_the_flow_unattributed(start, reason):
    made = timeline(("w", 0, 100), ("w", 160, 300), ("guest", 130, 130))
    assert made.ask(None, start, start).reason == reason


@pytest.mark.parametrize("before", [("w", 89, 89), ("w", 90, 90), ("other", -800, -800)])
def test_anybody_seen_before_the_connection_excludes_within(before):
    assert named(timeline(("w", 151, 151), before).ask(None, 100, 200)) == ("gap", None, None)


def test_a_sighting_that_may_have_been_before_the_connection_is_no_proof():
    assert named(timeline(("w", 95, 109)).ask(None, 100, 200)) == ("gap", None, None)
    assert named(timeline(("w", 95, 99), ("w", 109, 110)).ask(None, 100, 200)) == ("within", "w", 0)


def test_evidence_that_is_too_old_or_too_far_ahead_does_not_count():
    made = timeline(("w", 0, 100), ("late", 3_000, 3_000))
    assert made.ask(None, 1_100, 1_150).reason == "gap"
    unknown = made.ask(None, 1_101, 1_150)
    assert (unknown.reason, unknown.evidence, unknown.alternatives) == ("unknown", (), ())


def test_an_address_never_seen_is_unknown():
    assert named(timeline().ask(tcp(443), 0, 0)) == ("unknown", None, None)


def test_a_flow_longer_than_the_retention_is_too_old():
    assert named(timeline(("w", 0, 3_000)).ask(None, 100, 1_101)) == ("too_old", None, None)


def test_a_port_with_evidence_answers_in_the_place_of_the_address():
    made = timeline(("node", 100, 300), ("pod", 150, 250, tcp(443)))
    on_port = made.ask(tcp(443), 200, 200)
    assert (named(on_port), on_port.socket) == (("covered", "pod", 0), tcp(443))
    assert (on_port.evidence, on_port.alternatives) == ((claim("pod", 150, 250, socket=tcp(443)),), ())


@pytest.mark.parametrize("socket", [tcp(80), Socket(17, 443), None])
def test_an_address_that_workloads_hold_by_port_is_never_answered_for_as_a_whole(socket):
    made = timeline(
        ("node", 100, 300), ("pod", 150, 250, tcp(443)), ("pod", 0, 50, tcp(8080)), ("node", 190, 210, tcp(22))
    )
    answer = made.ask(socket, 200, 200)
    assert (named(answer), answer.socket) == (("shared", None, None), None)
    assert answer.evidence == (claim("node", 190, 210, socket=tcp(22)), claim("pod", 150, 250, socket=tcp(443)))
    assert answer.alternatives == (claim("node", 100, 300),)


def test_an_address_is_whole_again_when_its_ports_no_longer_count():
    made = timeline(("pod", 0, 100, tcp(443)), ("w", 1_000, 1_200))
    assert made.ask(tcp(80), 1_100, 1_100).reason == "shared"
    assert named(made.ask(tcp(80), 1_101, 1_101)) == ("covered", "w", 0)
    made.forget(101)
    assert named(made.ask(tcp(80), 1_100, 1_100)) == ("covered", "w", 0)


def test_claims_of_connections_count_where_the_address_is_held_by_port_and_shortly_after_that_was_seen():
    made = timeline(("pod", 90, 100, tcp(443)))
    for at in (150, 200, 300):
        made.add(tcp(80), "w", None, at, at, claim="accepted")
    made.add(tcp(8080), "v", None, 120, 190, claim="opened")
    assert [named(made.ask(tcp(80), t, t)) for t in (170, 250)] == [("gap", None, None)] * 2
    opened = made.ask(tcp(8080), 150, 150)
    assert named(opened) == ("covered", "v", 0)
    assert opened.steps == (AskedKey(tcp(8080), "unknown"), AskedKey(tcp(8080), "covered", "shown"))
    # More is told of the port that was seen: now the second claim counts, too.
    made.add(tcp(443), "pod", None, 145, 145)
    assert named(made.ask(tcp(80), 170, 170)) == ("bridged", "w", 20)
    assert {one.claim for one in made.ranges()} == {None, "shown"}


def test_the_service_is_that_of_the_heartbeats_around_the_asked_interval():
    made = Timeline(SETTINGS)
    for moment, service in [(0, "old"), (50, None), (100, "new"), (150, "new"), (200, "new"), (400, None)]:
        made.add(None, "w", service, moment, moment)
    assert [made.ask(None, t, t).service for t in (60, 110, 160, 190)] == [None, "new", "new", "new"]


def test_a_heartbeat_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="'w': it ends at 5, before it starts at 6"):
        Timeline(SETTINGS).add(None, "w", None, 6, 5)


# Ranges, forgetting, stored ranges -----------------------------------------------------------------------------------


def test_ranges_have_their_longest_gap_and_their_holes():
    made = timeline(
        ("w", 160, 160),
        ("w", 100, 110),
        ("w", 130, 130),
        ("guest", 140, 140),
        ("w", 300, 300),
        ("w", 135, 135, tcp(443)),
    )
    assert made.ranges() == [
        OwnershipRange(None, "w", "w-service", 100, 160, 30, ((130, 160),)),
        OwnershipRange(None, "guest", "guest-service", 140, 140, 0),
        OwnershipRange(None, "w", "w-service", 300, 300, 0),
        OwnershipRange(tcp(443), "w", "w-service", 135, 135, 0),
    ]


def test_what_is_forgotten_leaves_the_rest_of_its_range():
    made = timeline(("w", 100, 100), ("w", 150, 150), ("w", 200, 220), ("gone", 90, 90, tcp(443)))
    assert made.forget(210)
    assert made.ranges() == [OwnershipRange(None, "w", "w-service", 200, 220, 0)]
    assert not made.forget(221)
    assert made.ranges() == []


def test_stored_ranges_name_who_the_heartbeats_named():
    exact = timeline(("w", 100, 100), ("w", 105, 105), ("w", 150, 150), ("guest", 120, 120), ("v", 400, 405))
    stored = Timeline.from_ranges(exact.ranges(), SETTINGS)
    assert stored.ranges() == exact.ranges()
    assert named(stored.ask(None, 130, 130)) == named(exact.ask(None, 130, 130)) == ("conflict", None, None)
    assert named(stored.ask(None, 145, 145)) == named(exact.ask(None, 145, 145)) == ("gap", None, None)
    assert stored.ask(None, 150, 150).holes == ((105, 150),)


def test_stored_ranges_with_gaps_do_not_tell_where_in_them_somebody_was_seen():
    exact = timeline(("w", 100, 200), ("w", 250, 300))
    stored = Timeline.from_ranges(exact.ranges(), SETTINGS)
    assert named(exact.ask(None, 150, 150)) == ("covered", "w", 0)
    assert named(stored.ask(None, 150, 150)) == ("bridged", "w", None)
    close = Timeline.from_ranges(timeline(("w", 100, 200), ("w", 210, 300)).ranges(), SETTINGS)
    assert named(close.ask(None, 150, 150)) == ("covered", "w", 0)


def test_a_stored_range_that_may_have_been_the_owner_before_and_the_next_is_no_proof():
    exact = timeline(("w", 105, 105), ("w", 160, 160))
    stored = Timeline.from_ranges(exact.ranges(), SETTINGS)
    assert named(exact.ask(None, 100, 150)) == named(stored.ask(None, 100, 150)) == ("gap", None, None)
    assert named(exact.ask(None, 100, 170)) == ("within", "w", 5)
    assert named(stored.ask(None, 100, 170)) == ("within", "w", 5)


def test_heartbeats_go_on_where_stored_ranges_end():
    made = Timeline.from_ranges(timeline(("w", 100, 100), ("w", 150, 150)).ranges(), SETTINGS)
    made.add(None, "w", "w-service", 200, 200)
    assert named(made.ask(None, 170, 170)) == ("bridged", "w", 20)
    assert made.ranges() == [OwnershipRange(None, "w", "w-service", 100, 200, 50)]


# Many addresses ------------------------------------------------------------------------------------------------------


def test_timelines_keep_addresses_apart_and_forgets_those_of_which_nothing_is_left():
    book = Timelines(SETTINGS)
    book.add("192.0.2.1", None, "a", "x", 100, 200)
    book.add("2001:db8::1", tcp(443), "b", None, 100, 300)
    assert sorted(book) == ["192.0.2.1", "2001:db8::1"]
    assert named(book.ask("192.0.2.1", tcp(443), 150, 150)) == ("covered", "a", 0)
    assert named(book.ask("2001:db8::1", tcp(443), 150, 160, basis="window")) == ("covered", "b", 0)
    assert named(book.ask("192.0.2.9", None, 150, 150)) == ("unknown", None, None)
    assert len(book) == 2
    book.forget(250)
    assert list(book) == ["2001:db8::1"]
    assert book["2001:db8::1"].ranges() == [OwnershipRange(tcp(443), "b", None, 100, 300, 0)]


# Held to the oracle --------------------------------------------------------------------------------------------------


def timelines(heartbeats, settings):
    made = Timelines(records.package_settings(settings))
    for h in heartbeats:
        observe(made, h)
    return made


def observe(book, h):
    book.add(h.address, records.held(h), h.workload, h.service, h.start, h.end, network=h.network, claim=h.claim)


def asked(flow):
    """What a timeline is asked about the remote address of a flow."""
    networks = AskedNetworks.of_remote(flow.local_network, flow.remote_network)
    socket = records.socket_of(flow, flow.remote_port)
    return (socket, flow.start, flow.end), {"basis": flow.basis, "networks": networks}


def ask(book, flow):
    question, more = asked(flow)
    return book.ask(flow.remote_address, *question, **more)


def side(answer):
    method = "none" if answer.workload is None else "heartbeat"
    return oracle.Side(answer.workload, answer.service, method, answer.reason, answer.distance)


def flows_of(history):
    """The flows whose times are known, as a timeline is asked about them."""
    return [oracle.timed(f, history.settings) for f in history.flows if not oracle.is_untimed(f, history.settings)]


def remote_sides(history):
    """Each flow with the oracle's answer for its remote side, by heartbeats alone."""
    settings = replace(history.settings, workload_prefixes=(), pool_prefixes=())
    evidence = Evidence(history.evidence.heartbeats)
    for flow in flows_of(history):
        side = oracle.attribute(evidence, flow, settings).remote
        # A translated address is workload space, of which a timeline knows nothing.
        yield flow, replace(side, reason="unknown") if side.reason == "silent" else side


@given(strategies.any_history, st.data())
def test_the_timeline_answers_as_the_oracle_whatever_the_order_of_the_heartbeats(history, data):
    heartbeats = list(history.evidence.heartbeats)
    book = timelines(data.draw(st.permutations(heartbeats + heartbeats[:3])), history.settings)
    in_order = timelines(heartbeats, history.settings)
    for flow, expected in remote_sides(history):
        event(expected.reason)
        answer = ask(book, flow)
        assert side(answer) == expected
        assert answer == ask(in_order, flow)


@given(strategies.any_history)
def test_answers_stay_when_what_no_longer_counts_is_forgotten(history):
    book = timelines(history.evidence.heartbeats, history.settings)
    for flow, expected in sorted(remote_sides(history), key=lambda pair: pair[0].start):
        book.forget(flow.start - history.settings.retention)
        assert side(ask(book, flow)) == expected


@given(strategies.any_history, st.data())
def test_heartbeats_may_come_between_the_questions_and_after_forgetting(history, data):
    heartbeats = data.draw(st.permutations(history.evidence.heartbeats))
    assume(flows_of(history))
    oldest = min(flow.start for flow in flows_of(history)) - history.settings.retention
    book = timelines(heartbeats[::2], history.settings)
    for flow in flows_of(history):
        ask(book, flow)
    book.forget(oldest)
    for h in heartbeats[1::2]:
        observe(book, h)
    for flow, expected in remote_sides(history):
        assert side(ask(book, flow)) == expected


@given(strategies.any_history)
def test_the_ranges_are_those_of_the_oracle(history):
    book = timelines(history.evidence.heartbeats, history.settings)
    found = [records.stored_range(address, one) for address in book for one in book[address].ranges()]
    assert len(found) == len(set(found))
    assert set(found) == oracle.ownership_ranges(history.evidence.heartbeats, history.settings)


@given(strategies.any_history)
def test_stored_ranges_never_name_anybody_else_and_keep_every_other_reason(history):
    book = timelines(history.evidence.heartbeats, history.settings)
    settings = records.package_settings(history.settings)
    stored = {address: AddressTimeline.from_ranges(address, book[address].ranges(), settings) for address in book}
    for address, one in stored.items():
        assert one.ranges() == book[address].ranges()
    may_become = {"covered": {"covered", "bridged"}, "within": {"within", "gap"}}
    for flow in flows_of(history):
        question, more = asked(flow)
        socket = question[0]
        here = [h for h in history.evidence.heartbeats if h.address == flow.remote_address]
        ranges = {records.held(h) for h in here if socket and oracle.in_range(h, socket)}
        if len(ranges) > 1:
            continue  # of ranges of ports that overlap, stored ones do not tell who was seen in whose silence
        exact = ask(book, flow)
        unknown = AddressTimeline(flow.remote_address, settings)
        answer = stored.get(flow.remote_address, unknown).ask(*question, **more)
        event(f"{exact.reason}, stored {answer.reason}")
        # What may only be bridged must not be spoken against from further off.
        less = {"gap"} if ranges and exact.reason == "covered" else set()
        assert answer.reason in may_become.get(exact.reason, {exact.reason}) | less
        assert answer.workload in {exact.workload, None}
        assert (answer.workload is None) == (answer.reason not in {"covered", "bridged", "within"})
        assert answer.distance in {exact.distance, None}
        assert answer.evidence == exact.evidence or answer.reason != exact.reason


def test_a_crowded_day_gives_the_ranges_and_the_answers_of_the_columnar_index():
    settings = Settings()
    minute, day = 60_000_000, 1_440
    seeded = random.Random(11)
    heartbeats = []
    for owner in range(50):
        first = owner * day // 50
        for moment in range(first, first + day // 50 + seeded.choice([-3, 0, 2])):
            at = strategies.BASE + moment * minute + seeded.randrange(20_000_000)
            heartbeats.append(Heartbeat("192.0.2.1", None, f"w{owner}", "s", at, at + seeded.choice([0, 30_000_000])))
    for port in range(40):
        for moment in range(0, day, 2):
            at = strategies.BASE + moment * minute + seeded.randrange(minute)
            owner, protocol = f"p{(port + moment // 99) % 45}", strategies.UDP if port % 2 else strategies.TCP
            heartbeats.append(Heartbeat("192.0.2.2", port // 2, owner, None, at, at, protocol=protocol))
    seeded.shuffle(heartbeats)
    book = Timelines(settings)
    for h in heartbeats:
        observe(book, h)
    columnar = records.ownership(Ownership(Heartbeats.of(records.batch("heartbeat", heartbeats)), settings).ranges())
    found = [records.stored_range(address, one) for address in book for one in book[address].ranges()]
    assert len(columnar) > 600
    assert set(found) == set(columnar)
