"""CloudTrail: assignment events out of requests and responses, in whatever order they are read."""

import gzip
import json
import random
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_input import KeepingLedger, MemoryInput, canonical_rows, rows_of

from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.fallback.assignments import AssignmentIndex, AssignmentState
from attribution.errors import SourceError
from attribution.schema import ASSIGNMENT, arrow_schema
from attribution.sources import Ledger, reading
from attribution.sources.formats.cloudtrail.format import CloudTrail
from attribution.sources.input.opening import open_inputs
from attribution.sources.records.validate import canonical

NOBODY, ASSIGNED = AssignmentState.NOBODY, AssignmentState.ASSIGNED
OTHER_NETWORK = AssignmentState.OTHER_NETWORK

DATA = Path(__file__).parents[1] / "data" / "aws"
TRAIL = sorted((DATA / "cloudtrail").glob("*.json"))
NOON = 1_688_990_400_000_000  # 2023-07-10T12:00:00Z
SECOND = 1_000_000
MINUTE = 60 * SECOND


def event(name, minute, request=None, response=None, **more):
    return {
        "eventTime": f"2023-07-10T12:{minute:02}:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "requestParameters": request,
        "responseElements": response,
        **more,
    }


def created(minute, eni="eni-0a", address="10.0.0.5", vpc="vpc-0a", **more):
    interface = {"networkInterfaceId": eni, "vpcId": vpc, "interfaceType": "interface", "description": ""}
    interface |= {"privateIpAddress": address, "privateIpAddressesSet": {"item": [{"privateIpAddress": address}]}}
    return event("CreateNetworkInterface", minute, {}, {"networkInterface": interface | more})


def deleted(minute, eni="eni-0a"):
    return event("DeleteNetworkInterface", minute, {"networkInterfaceId": eni}, {"_return": True})


def assigned(minute, *addresses, eni="eni-0a"):
    given = {"assignedPrivateIpAddressSetType": [{"privateIpAddress": address} for address in addresses]}
    request = {"networkInterfaceId": eni, "secondaryPrivateIpAddressCount": len(addresses)}
    return event(
        "AssignPrivateIpAddresses", minute, request, {"networkInterfaceId": eni, "assignedPrivateIpAddressesSet": given}
    )


def launched(minute, instance="i-0a", eni="eni-0a", address="10.0.0.5", vpc="vpc-0a", *, delete=True, **more):
    interface = {"networkInterfaceId": eni, "vpcId": vpc, "privateIpAddress": address}
    interface |= {"attachment": {"deleteOnTermination": delete}, "ipv6AddressesSet": {}}
    machine = {"instanceId": instance, "vpcId": vpc, "privateIpAddress": address}
    machine |= {"networkInterfaceSet": {"items": [interface]}, "tagSet": {}}
    return event("RunInstances", minute, {}, {"instancesSet": {"items": [machine | more]}})


def terminated(minute, *instances):
    named = {"instancesSet": {"items": [{"instanceId": instance} for instance in instances]}}
    return event("TerminateInstances", minute, named, named)


def read(*events):
    return rows_of(CloudTrail(), json.dumps({"Records": events}))


def steps(*events):
    """(minute, address, owner, action) of each assignment, in order."""
    rows, _ = read(*events)
    found = [((r["time"] - NOON) // MINUTE, r["address"], r["owner"], r["action"]) for r in rows.get(ASSIGNMENT, [])]
    return sorted(found)


def test_an_interface_holds_its_addresses_until_it_is_deleted():
    rows, ledger = read(created(1), deleted(9))
    common = {"network": "vpc-0a", "address": "10.0.0.5", "owner": "eni-0a", "kind": "network_interface"}
    assert rows == {
        ASSIGNMENT: [
            {**common, "action": "assign", "time": NOON + MINUTE, "line": 1},
            {**common, "action": "release", "time": NOON + 9 * MINUTE, "line": 2},
        ]
    }
    assert (ledger.skipped, ledger.rejected) == ({}, {})


def test_all_addresses_of_an_interface_count():
    more = {
        "privateIpAddressesSet": {"item": [{"privateIpAddress": "10.0.0.5"}, {"privateIpAddress": "10.0.0.6"}]},
        "ipv6AddressesSet": {"items": [{"ipv6Address": "2001:DB8::5"}]},
    }
    assert steps(created(1, **more)) == [
        (1, "10.0.0.5", "eni-0a", "assign"),
        (1, "10.0.0.6", "eni-0a", "assign"),
        (1, "2001:db8::5", "eni-0a", "assign"),
    ]


def test_a_deletion_before_the_creation_in_the_file_counts_all_the_same():
    assert steps(deleted(9), created(1)) == steps(created(1), deleted(9))


def test_a_deletion_releases_only_what_was_given_before():
    again = created(20)
    assert steps(again, deleted(9), created(1))[1:] == [
        (9, "10.0.0.5", "eni-0a", "release"),
        (20, "10.0.0.5", "eni-0a", "assign"),
    ]


def test_the_deletion_of_an_unknown_interface_is_skipped():
    rows, ledger = read(deleted(9))
    assert rows == {}
    assert ledger.skipped == {("cloudtrail", "unknown_interface"): 1}


def test_addresses_are_added_to_and_removed_from_a_known_interface():
    removed = event(
        "UnassignPrivateIpAddresses",
        5,
        {"networkInterfaceId": "eni-0a", "privateIpAddressesSet": {"items": [{"privateIpAddress": "10.0.0.8"}]}},
        {"_return": True},
    )
    assert steps(created(1), assigned(3, "10.0.0.8", "10.0.0.9"), removed, deleted(9)) == [
        (1, "10.0.0.5", "eni-0a", "assign"),
        (3, "10.0.0.8", "eni-0a", "assign"),
        (3, "10.0.0.9", "eni-0a", "assign"),
        (5, "10.0.0.8", "eni-0a", "release"),
        (9, "10.0.0.5", "eni-0a", "release"),
        (9, "10.0.0.8", "eni-0a", "release"),
        (9, "10.0.0.9", "eni-0a", "release"),
    ]


def test_what_is_added_to_an_unknown_interface_is_skipped():
    rows, ledger = read(assigned(3, "10.0.0.8"))
    assert rows == {}
    assert ledger.skipped == {("cloudtrail", "unknown_interface"): 1}


def test_ipv6_calls_are_wrapped_once_more():
    request = {"AssignIpv6AddressesRequest": {"NetworkInterfaceId": "eni-0a", "Ipv6AddressCount": 1}}
    answer = {"networkInterfaceId": "eni-0a", "assignedIpv6Addresses": {"item": "2001:db8::9"}}
    given = event("AssignIpv6Addresses", 3, request, {"AssignIpv6AddressesResponse": answer})
    request = {"UnassignIpv6AddressesRequest": {"NetworkInterfaceId": "eni-0a", "Ipv6Addresses": {"tag": 1}}}
    answer = {"networkInterfaceId": "eni-0a", "unassignedIpv6Addresses": {"item": ["2001:db8::9"]}}
    taken = event("UnassignIpv6Addresses", 4, request, {"UnassignIpv6AddressesResponse": answer})
    assert steps(created(1), given, taken)[1:] == [
        (3, "2001:db8::9", "eni-0a", "assign"),
        (4, "2001:db8::9", "eni-0a", "release"),
    ]


def test_an_instance_holds_what_it_was_launched_with_until_it_is_terminated():
    name = {"tagSet": {"items": [{"key": "Name", "value": "bastion"}]}}
    rows, _ = read(launched(1, **name), terminated(9, "i-0a"))
    assert [(r["owner"], r["kind"], r["service"], r["action"], r["line"]) for r in rows[ASSIGNMENT]] == [
        ("i-0a", "instance", "bastion", "assign", 1),
        ("i-0a", "instance", "bastion", "release", 2),
    ]


@pytest.mark.parametrize(("delete", "released"), [(True, True), ("true", True), (False, False)])
def test_termination_ends_the_interfaces_that_go_with_the_instance(delete, released):
    found = steps(launched(1, delete=delete), assigned(3, "10.0.0.8"), terminated(9, "i-0a"))
    assert ((9, "10.0.0.8", "eni-0a", "release") in found) is released
    assert (9, "10.0.0.5", "i-0a", "release") in found


def test_one_call_may_terminate_several_instances_of_which_some_are_unknown():
    rows, ledger = read(launched(1), terminated(9, "i-0b", "i-0a"))
    assert [r["action"] for r in rows[ASSIGNMENT]] == ["assign", "release"]
    assert ledger.skipped == {("cloudtrail", "unknown_instance"): 1}


ALLOCATED = event("AllocateAddress", 0, {"domain": "vpc"}, {"publicIp": "203.0.113.9", "allocationId": "eipalloc-0a"})


@pytest.mark.parametrize("target", [{"networkInterfaceId": "eni-0a"}, {"instanceId": "i-0a"}])
def test_a_public_address_is_held_from_association_to_disassociation(target):
    bound = event("AssociateAddress", 2, {"allocationId": "eipalloc-0a", **target}, {"associationId": "eipassoc-0a"})
    freed = event("DisassociateAddress", 7, {"associationId": "eipassoc-0a"}, {"_return": True})
    (owner,) = target.values()
    expected = [(2, "203.0.113.9", owner, "assign"), (7, "203.0.113.9", owner, "release")]
    assert steps(ALLOCATED, bound, freed) == expected
    assert steps(freed, bound, ALLOCATED) == expected


def test_a_public_address_of_an_unknown_allocation_is_skipped():
    request = {"allocationId": "eipalloc-0a", "instanceId": "i-0a"}
    rows, ledger = read(event("AssociateAddress", 2, request, {"associationId": "eipassoc-0a"}))
    assert rows == {}
    assert ledger.skipped == {("cloudtrail", "unknown_allocation"): 1}


def test_a_nat_gateway_holds_its_addresses():
    gateway = {
        "natGatewayId": "nat-0a",
        "vpcId": "vpc-0a",
        "natGatewayAddressSet": {"item": {"allocationId": "eipalloc-0a", "privateIp": "10.0.0.20"}},
        "tagSet": {"item": {"key": "Name", "value": "out"}},
    }
    made = event(
        "CreateNatGateway", 1, {"CreateNatGatewayRequest": {}}, {"CreateNatGatewayResponse": {"natGateway": gateway}}
    )
    gone = event("DeleteNatGateway", 5, {"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0a"}}, {})
    rows, _ = read(ALLOCATED, made, gone)
    assert {(r["address"], r["owner"], r["kind"], r["service"], r["action"]) for r in rows[ASSIGNMENT]} == {
        (address, "nat-0a", "nat_gateway", "out", action)
        for address in ("10.0.0.20", "203.0.113.9")
        for action in ("assign", "release")
    }


@pytest.mark.parametrize(
    ("description", "kind", "service"),
    [
        ("ELB app/my-alb/50dc6c495c0c9188", "load_balancer", "my-alb"),
        ("ELB net/my-nlb/50dc6c495c0c9188", "load_balancer", "my-nlb"),
        ("ELB my-classic", "load_balancer", "my-classic"),
        ("Interface for NAT Gateway nat-0a", "nat_gateway", "nat-0a"),
        ("VPC Endpoint Interface vpce-0a", "vpc_endpoint", "vpce-0a"),
        ("EFS mount target for fs-1234567 (fsmt-1234567)", "managed_service", "fs-1234567"),
        ("RDSNetworkInterface", "managed_service", "RDS"),
        ("ElastiCache sessions-001", "managed_service", "ElastiCache sessions-001"),
        ("aws-K8S-i-0123456789abcdef0", "kubernetes_node", "i-0123456789abcdef0"),
        ("AWS Lambda VPC ENI-resize-0123", "lambda", None),
        ("Primary network interface", "network_interface", "worker"),
    ],
)
def test_the_description_says_what_is_behind_an_interface(description, kind, service):
    tags = {"tagSet": {"items": [{"key": "Name", "value": "worker"}]}} if service == "worker" else {}
    rows, _ = read(created(1, description=description, **tags))
    assert [(r["kind"], r.get("service")) for r in rows[ASSIGNMENT]] == [(kind, service)]


def test_a_stated_type_of_interface_is_its_kind():
    rows, _ = read(created(1, interfaceType="network_load_balancer"), created(1, eni="eni-0b", interfaceType="efa"))
    assert [r["kind"] for r in rows[ASSIGNMENT]] == ["load_balancer", "efa"]


def test_failed_requests_and_dry_runs_change_nothing():
    dry = event("CreateNetworkInterface", 1, {"subnetId": "subnet-0a"}, None, errorCode="Client.DryRunOperation")
    rows, ledger = read(dry, {**created(2), "errorCode": "Client.UnauthorizedOperation"})
    assert rows == {}
    assert ledger.skipped == {("cloudtrail", "request_failed"): 2}


def test_other_events_are_counted():
    rows, ledger = read(
        event("DescribeInstances", 1), event("CreateLoadBalancer", 1), {**created(2), "eventSource": "x"}
    )
    assert rows == {}
    assert ledger.skipped == {("cloudtrail", "other_event"): 3}


def test_events_that_lack_what_they_are_about_are_rejected():
    rows, ledger = read(
        event("DeleteNetworkInterface", 1, {}),
        created(2) | {"eventTime": "20You 19-10-23T22:50:05Z"},
        {"eventName": 7},
        "text",
        created(3, address="10.0.0.500"),
        created(4),
    )
    assert [r["line"] for r in rows[ASSIGNMENT]] == [6]
    assert [(r.line, r.reason) for r in ledger.rejects] == [
        (1, "malformed"),
        (2, "malformed"),
        (3, "malformed"),
        (4, "malformed"),
        (5, "not_an_address"),
    ]


@pytest.mark.parametrize("part", [None, {"omitted": True, "originalSize": 120000, "reason": "too large"}])
@pytest.mark.parametrize(
    "left_out",
    [
        lambda part: launched(1) | {"responseElements": part},
        lambda part: created(1) | {"responseElements": part},
        lambda part: assigned(1, "10.0.0.8") | {"responseElements": part},
        lambda part: deleted(1) | {"requestParameters": part},
        lambda part: terminated(1, "i-0a") | {"requestParameters": part},
        lambda part: event("AllocateAddress", 1, {}, part),
        lambda part: event("AssociateAddress", 1, part, part),
        lambda part: event("CreateNatGateway", 1, {}, part),
    ],
)
def test_an_event_whose_request_or_response_was_left_out_is_skipped(left_out, part):
    rows, ledger = read(left_out(part))
    assert (rows, ledger.skipped, ledger.rejects) == ({}, {("cloudtrail", "left_out"): 1}, [])


def test_an_event_from_which_nothing_follows_is_counted_until_something_does():
    bare = created(1, "eni-0b", address="")
    _, ledger = read(bare)
    assert ledger.skipped == {("cloudtrail", "no_address"): 1}
    _, ledger = read(bare, deleted(9, "eni-0b"))
    assert ledger.skipped == {("cloudtrail", "no_address"): 2}
    later = assigned(3, "10.0.0.8", eni="eni-0b")
    for order in permutations([bare, deleted(9, "eni-0b"), later]):
        rows, ledger = read(*order)
        assert len(rows[ASSIGNMENT]) == 2
        assert ledger.skipped == {("cloudtrail", "no_address"): 1}


ALL = [
    created(1), created(2, "eni-0b", "10.0.0.6"), deleted(9), deleted(0, "eni-0b"), assigned(3, "10.0.0.8"),
    launched(4), launched(5, "i-0b", "eni-0c", "10.0.0.7"), terminated(7, "i-0a", "i-0b", "i-0c"),
    created(8, "eni-0d", address=""),
    event("AllocateAddress", 1, {}, {"allocationId": "a-1", "publicIp": "192.0.2.1"}),
    event("AssociateAddress", 2, {"allocationId": "a-1", "instanceId": "i-0a"}, {"associationId": "s-1"}),
    event("AssociateAddress", 2, {"allocationId": "a-2", "instanceId": "i-0a"}, {"associationId": "s-2"}),
    event("DisassociateAddress", 3, {"associationId": "s-1"}, {"_return": True}),
    launched(6) | {"responseElements": None},
]  # fmt: skip


@given(st.permutations(ALL))
def test_every_event_is_read_skipped_or_rejected_whatever_the_order(events):
    rows, ledger = read(*events)
    told = {row["line"] for row in rows[ASSIGNMENT]}
    silent = ledger.skipped["cloudtrail", "no_address"] + ledger.skipped["cloudtrail", "left_out"]
    waiting = ledger.skipped["cloudtrail", "unknown_instance"] + ledger.skipped["cloudtrail", "unknown_allocation"]
    # One of the three instances that were terminated was never launched.
    assert len(told) + silent + waiting == len(ALL) + 1
    assert ledger.skipped == read(*ALL)[1].skipped


def test_a_delegated_prefix_is_its_addresses():
    given = {"assignedIpv4PrefixSet": {"assignedIpv4PrefixSetType": [{"ipv4Prefix": "10.0.8.0/28"}]}}
    answer = {"networkInterfaceId": "eni-0a", "assignedPrivateIpAddressesSet": {}}
    added = event("AssignPrivateIpAddresses", 3, {"networkInterfaceId": "eni-0a", "ipv4PrefixCount": 1}, answer | given)
    taken = {"networkInterfaceId": "eni-0a", "ipv4PrefixSet": {"items": [{"ipv4Prefix": "10.0.8.0/28"}]}}
    removed = event("UnassignPrivateIpAddresses", 5, taken, {"_return": True})
    whole = created(1, ipv4PrefixSet={"item": [{"ipv4Prefix": "10.0.7.0/28"}]})
    expected = [(1, "10.0.0.5", "eni-0a", "assign")]
    expected += [(1, f"10.0.7.{n}", "eni-0a", "assign") for n in range(16)]
    expected += [(3, f"10.0.8.{n}", "eni-0a", "assign") for n in range(16)]
    expected += [(5, f"10.0.8.{n}", "eni-0a", "release") for n in range(16)]
    assert steps(whole, added, removed) == sorted(expected)


def test_a_prefix_of_too_many_addresses_is_counted():
    request = {"AssignIpv6AddressesRequest": {"NetworkInterfaceId": "eni-0a", "Ipv6PrefixCount": 1}}
    answer = {"networkInterfaceId": "eni-0a", "assignedIpv6PrefixSet": {"item": ["2001:db8:0:1::/80"]}}
    given = event("AssignIpv6Addresses", 3, request, {"AssignIpv6AddressesResponse": answer})
    rows, ledger = read(created(1), given)
    assert len(rows[ASSIGNMENT]) == 1
    assert ledger.skipped == {("cloudtrail", "wide_prefix"): 1, ("cloudtrail", "no_address"): 1}


def test_what_is_no_prefix_is_rejected():
    _, ledger = read(created(1, address="", ipv4PrefixSet={"item": [{"ipv4Prefix": "10.0.7.0/33"}]}))
    assert [(r.line, r.reason) for r in ledger.rejects] == [(1, "not_an_address")]


def held(events, address, minute, vpc="vpc-0a"):
    """What the rules of attribution make of the assignments at a minute, for a flow of a network."""
    ledger = KeepingLedger()
    account = ledger.of(CloudTrail())
    blocks = CloudTrail().read(MemoryInput(json.dumps({"Records": events})), account)
    batches = [canonical(block, account).cast(arrow_schema(ASSIGNMENT)) for block in blocks]
    table = pa.Table.from_batches(batches, arrow_schema(ASSIGNMENT))
    index = AssignmentIndex(table)
    at = np.array([NOON + minute * MINUTE + 30 * SECOND])
    answer = index.ask(AskedPlaces.of_view(pa.array([address]), pa.array([vpc])), np.array([-1], np.int32), at, at)
    return answer.state[0], index.owners[int(answer.owner[0])].as_py() if answer.owner[0] >= 0 else None


def test_events_that_stand_in_two_files_change_no_set_of_assignments(tmp_path):
    def assignments(*paths):
        found = [one.batch.to_pylist() for one in reading.read(paths, ledger=Ledger(), kinds=("assignment",))]
        return {tuple(sorted(row.items(), key=str)) for rows in found for row in rows}

    for path in TRAIL:
        (tmp_path / path.name).write_text(path.read_text() + "\n")
    once = assignments(*TRAIL)
    assert len(once) > 10
    assert assignments(*TRAIL, tmp_path) == once


def test_an_address_of_two_networks_has_an_owner_in_each():
    one = [created(1), deleted(20)]
    two = [created(5, eni="eni-0b", vpc="vpc-0b"), deleted(10, eni="eni-0b")]
    assert held(one, "10.0.0.5", 7) == (ASSIGNED, "eni-0a")
    assert held(one, "10.0.0.5", 30) == (NOBODY, None)
    for events in (one + two, two + one):
        assert held(events, "10.0.0.5", 0) == (NOBODY, None)
        for minute in (2, 7, 12):
            assert held(events, "10.0.0.5", minute) == (ASSIGNED, "eni-0a")
        assert held(events, "10.0.0.5", 7, "vpc-0b") == (ASSIGNED, "eni-0b")
        assert held(events, "10.0.0.5", 12, "vpc-0b") == (NOBODY, None)
        # No event of this network is known yet, so nothing else may answer in it either.
        assert held(events, "10.0.0.5", 2, "vpc-0b") == (OTHER_NETWORK, None)


def test_a_public_address_is_of_no_network_and_a_private_one_of_its_owner_s():
    rows, _ = read(
        launched(1, vpc="vpc-0a"),
        event(
            "AssociateAddress", 2, {"instanceId": "i-0a", "publicIp": "203.0.113.9"}, {"associationId": "eipassoc-1"}
        ),
        event("DisassociateAddress", 3, {"associationId": "eipassoc-1"}, {"_return": True}),
        terminated(4, "i-0a"),
    )
    found = {(r["address"], r["action"], r.get("network")) for r in rows[ASSIGNMENT]}
    assert found == {
        (address, action, network)
        for address, network in (("10.0.0.5", "vpc-0a"), ("203.0.113.9", None))
        for action in ("assign", "release")
    }


def test_an_address_that_moves_within_a_network_is_the_latest_owner_s():
    events = [created(1), created(5, eni="eni-0b"), deleted(8)]
    assert held(events, "10.0.0.5", 3) == (ASSIGNED, "eni-0a")
    assert held(events, "10.0.0.5", 9) == (ASSIGNED, "eni-0b")


@pytest.mark.parametrize("shape", ["trail", "pretty", "lines", "lookup", "bridge", "joined", "list"])
def test_events_come_in_many_wrappings(shape):
    events = [created(1), deleted(9)]
    lookup = [{"EventName": e["eventName"], "CloudTrailEvent": json.dumps(e)} for e in events]
    content = {
        "trail": json.dumps({"Records": events}),
        "pretty": json.dumps({"Records": events}, indent=2),
        "lines": "".join(json.dumps(e) + "\n" for e in events),
        "lookup": json.dumps({"Events": lookup, "NextToken": "abc"}, indent=4),
        "bridge": "".join(json.dumps({"detail-type": "AWS API Call", "detail": e}) + "\n" for e in events),
        "joined": "".join(json.dumps({"Records": [e]}) + "\n" for e in events),
        "list": json.dumps(events),
    }[shape]
    assert CloudTrail().matches(content.encode())
    rows, ledger = rows_of(CloudTrail(), content)
    assert [(r["action"], r["line"]) for r in rows[ASSIGNMENT]] == [("assign", 1), ("release", 2)]
    assert (ledger.skipped, ledger.rejected) == ({}, {})


def test_a_broken_line_is_rejected_alone():
    content = f"{json.dumps(created(1))}\n{{\n\n{json.dumps(deleted(9))}\n"
    rows, ledger = rows_of(CloudTrail(), content)
    assert [r["line"] for r in rows[ASSIGNMENT]] == [1, 4]
    assert [(r.line, r.reason) for r in ledger.rejects] == [(2, "malformed")]


def test_of_a_document_that_breaks_off_the_whole_events_count():
    content = json.dumps({"Records": [created(1), created(2, eni="eni-0b"), deleted(9)]})
    rows, ledger = rows_of(CloudTrail(), content[: content.index("DeleteNetworkInterface")])
    assert [r["owner"] for r in rows[ASSIGNMENT]] == ["eni-0a", "eni-0b"]
    assert [(r.line, r.reason) for r in ledger.rejects] == [(3, "malformed")]


def test_a_file_of_a_trail_may_hold_nothing():
    assert CloudTrail().matches(b'{"Records":[]}')
    rows, ledger = rows_of(CloudTrail(), '{"Records":[]}')
    assert (rows, ledger.skipped, ledger.rejected) == ({}, {}, {})


@pytest.mark.parametrize(
    "head",
    [b"", b"{}", b'{"Records": [1]}', b'{"kind": "Event", "apiVersion": "audit.k8s.io/v1"}', b"eventName eventSource"],
)
def test_other_content_is_not_taken_for_a_trail(head):
    assert not CloudTrail().matches(head)


def test_a_document_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("attribution.sources.json.documents._LIMIT_BYTES", 100)
    with pytest.raises(SourceError, match=r"cannot read memory: .*JSON lines"):
        read(created(1))


def read_trail(paths):
    ledger, rows = KeepingLedger(), []
    for opened in open_inputs(paths):
        assert CloudTrail().matches(opened.head())
        for block in CloudTrail().read(opened, ledger.of(CloudTrail())):
            rows += [(Path(block.source).name, *row.values()) for row in canonical_rows(block, ledger, CloudTrail())]
    return rows, ledger


def test_a_real_trail_is_put_together_across_its_files():
    ledger, rows = KeepingLedger(), []
    for opened in open_inputs([DATA / "cloudtrail"]):
        for block in CloudTrail().read(opened, ledger.of(CloudTrail())):
            rows += canonical_rows(block, ledger, CloudTrail())
    found = sorted((r["address"], r["time"], r["owner"], r["action"]) for r in rows)
    clock = {"11:55:14": -286, "11:55:21": -279, "12:03:18": 198, "12:03:24": 204, "12:08:05": 485, "12:08:06": 486}
    clock |= {"12:08:07": 487, "12:08:38": 518, "12:12:06": 726, "12:16:15": 975, "12:32:01": 1921}
    expected = [
        ("10.0.1.10", "11:55:14", "eni-076fa9fb98a2500a7", "assign"),
        ("10.0.1.10", "11:55:21", "i-0dbc91f429e48eeed", "assign"),
        ("10.0.1.10", "12:03:18", "eni-06b7a305fe9519d03", "assign"),
        ("10.0.1.10", "12:03:24", "i-05c30218156bcc246", "assign"),
        ("10.0.1.10", "12:08:05", "i-05c30218156bcc246", "release"),
        ("10.0.1.10", "12:08:06", "i-0dbc91f429e48eeed", "release"),
        ("10.0.1.10", "12:08:38", "eni-076fa9fb98a2500a7", "release"),
        ("10.0.1.10", "12:12:06", "eni-06b7a305fe9519d03", "release"),
        ("10.0.2.159", "12:16:15", "eni-0938d805949b4e134", "assign"),
        ("10.0.2.159", "12:32:01", "eni-0938d805949b4e134", "release"),
        ("3.225.16.109", "11:55:14", "nat-03575abbac42080d9", "assign"),
        ("3.225.16.109", "12:08:07", "nat-03575abbac42080d9", "release"),
        ("52.45.102.28", "12:03:18", "nat-0dd264ee104155137", "assign"),
        ("52.45.102.28", "12:08:06", "nat-0dd264ee104155137", "release"),
    ]
    assert found == [(a, NOON + clock[t] * SECOND, owner, action) for a, t, owner, action in expected]
    # 10.0.1.10 was given out in two networks, one after the other and overlapping. Public addresses are of none.
    networks = {}
    for row in rows:
        networks.setdefault((row["address"], row.get("network")), set()).add(row["owner"])
    assert networks == {
        ("10.0.1.10", "vpc-04ae35a334cd7ef4f"): {"eni-06b7a305fe9519d03", "i-05c30218156bcc246"},
        ("10.0.1.10", "vpc-06fe1a64761a0f720"): {"eni-076fa9fb98a2500a7", "i-0dbc91f429e48eeed"},
        ("10.0.2.159", "vpc-07b33857c7ad1c027"): {"eni-0938d805949b4e134"},
        ("3.225.16.109", None): {"nat-03575abbac42080d9"},
        ("52.45.102.28", None): {"nat-0dd264ee104155137"},
    }
    # Addresses that were allocated for NAT gateways are told by these.
    skipped = {"request_failed": 6, "other_event": 21, "no_address": 3}
    assert ledger.skipped == {("cloudtrail", reason): count for reason, count in skipped.items()}
    assert ledger.rejected == {}


def test_the_order_of_the_files_changes_nothing(tmp_path):
    rows, ledger = read_trail(TRAIL)
    shuffled = TRAIL.copy()
    for seed in range(10):
        random.Random(seed).shuffle(shuffled)
        found, found_ledger = read_trail(shuffled)
        assert set(found) == set(rows)
        assert found_ledger.skipped == ledger.skipped
    packed = []
    for path in TRAIL:
        packed.append(tmp_path / f"{path.name}.gz")
        packed[-1].write_bytes(gzip.compress(path.read_bytes()))
    assert {row[1:] for row in read_trail(packed)[0]} == {row[1:] for row in rows}
