"""The truth: who held what, checked row by row and slowly."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from attribution.config import MINUTE, SECOND
from attribution.core.addressing.sockets import split_sockets
from attribution.testbed.fleet.scenarios import PRESETS, scenario
from attribution.testbed.fleet.simulation import simulate

HOSTILE = scenario("hostile", ("connections=3000",))


def tenures_by_key(fleet):
    """(address, socket) -> (start, end, workload), sorted; socket -1 is the whole address."""
    held = defaultdict(list)
    t = fleet.tenures
    for i in range(len(t)):
        key = int(t.key[i])
        held[int(fleet.key_address[key]), int(fleet.key_socket[key])].append(
            (int(t.start[i]), int(t.end[i]), int(t.workload[i]))
        )
    return {key: sorted(rows) for key, rows in held.items()}


@pytest.mark.parametrize("name", ["small", "hostile", "lossless"])
def test_no_two_workloads_hold_one_address_or_one_port_of_it_at_the_same_time(name):
    held = tenures_by_key(simulate(scenario(name, ("connections=10",)), seed=5).fleet)
    assert all(start < end for rows in held.values() for start, end, _ in rows)
    for rows in held.values():
        for (_, end, _), (start, _, _) in pairwise(rows):
            assert end <= start
    whole = {address for address, socket in held if socket < 0}
    assert not whole & {address for address, socket in held if socket >= 0}


def test_addresses_pass_on_at_the_very_microsecond_where_there_is_no_pause():
    held = tenures_by_key(simulate(HOSTILE, seed=5).fleet)
    gaps = [b[0] - a[1] for rows in held.values() for a, b in pairwise(rows)]
    assert sum(gap == 0 for gap in gaps) > len(gaps) / 4
    assert max(len(rows) for rows in held.values()) > 20


def test_a_pause_keeps_addresses_unused():
    paused = replace(HOSTILE, reuse_pause=3 * MINUTE)
    held = tenures_by_key(simulate(paused, seed=5).fleet)
    gaps = [b[0] - a[1] for rows in held.values() for a, b in pairwise(rows)]
    assert len(gaps) > 100
    assert min(gaps) >= 3 * MINUTE


def test_a_workload_moves_while_it_runs_and_stays_away_from_what_it_left():
    moving = replace(HOSTILE, move_share=0.6, lifetime=5 * MINUTE, return_share=1.0, spare_addresses=0.5)
    t = simulate(moving, seed=5).fleet.tenures
    tenures_of = defaultdict(list)
    for row in zip(t.workload.tolist(), t.key.tolist(), t.start.tolist(), t.end.tolist(), strict=True):
        tenures_of[row[0]].append(row[1:])
    movers = {w: rows for w, rows in tenures_of.items() if len(rows) > 1}
    assert len(movers) > 20
    returns = 0
    for rows in movers.values():
        by_key = defaultdict(list)
        for key, start, end in sorted(rows, key=lambda row: row[1]):
            by_key[key].append((start, end))
        for times in by_key.values():
            for (_, end), (start, _) in pairwise(times):
                returns += 1
                assert start - end >= moving.return_pause
    assert returns > 0


def test_ports_of_one_node_address_have_several_owners_at_once_and_one_port_has_two():
    sharing = replace(HOSTILE, port_owner_share=0.6, hosts=3)
    held = tenures_by_key(simulate(sharing, seed=5).fleet)
    middle = sharing.begin + sharing.duration // 2
    owners = defaultdict(set)
    twins = defaultdict(set)
    for (address, socket), rows in held.items():
        if socket >= 0:
            mine = {w for start, end, w in rows if start <= middle < end}
            owners[address] |= mine
            _, port = split_sockets(socket)
            twins[address, port] |= mine
    assert max(map(len, owners.values())) >= 3
    assert max(map(len, twins.values())) == 2


def test_one_name_has_many_identities():
    sim = simulate(HOSTILE, seed=5)
    workloads = set(sim.event_table().column("owner").to_pylist())
    names = {w.rsplit(".", 1)[0] for w in workloads}
    assert len(names) < len(workloads) / 2


def test_clocks_are_off_by_no_more_than_half_the_tolerance():
    for preset in PRESETS.values():
        skew = simulate(replace(preset, connections=10, duration=10 * MINUTE), seed=1).fleet.skew
        assert 2 * np.abs(skew).max() <= preset.clock_tolerance
    assert np.abs(simulate(HOSTILE, seed=1).fleet.skew).max() > SECOND // 4


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    one, same, other = (simulate(HOSTILE, seed=seed) for seed in (7, 7, 8))
    for table in ("heartbeat_table", "assignment_table", "event_table", "name_table", "label_table"):
        assert getattr(one, table)().equals(getattr(same, table)())
    assert [*one.flow_batches()] == [*same.flow_batches()]
    assert [*one.truth_batches()] == [*same.truth_batches()]
    assert [*one.flow_batches()] != [*other.flow_batches()]


def test_a_parameter_of_the_evidence_does_not_change_the_traffic():
    changed = replace(HOSTILE, heartbeat_loss=0.9, event_loss=0.5, heartbeat_delay=0)
    assert [*simulate(HOSTILE, seed=7).flow_batches()] == [*simulate(changed, seed=7).flow_batches()]
