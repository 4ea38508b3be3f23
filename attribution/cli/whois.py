"""`attribution whois`: who held an address, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from attribution.cli.options.selection import counted_back, lake_argument
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.evidence import (
    ASSIGNMENTS,
    LABELS,
    NETWORK,
    assignment_rows,
    evidence_section,
    path_sections,
    witness_sections,
)
from attribution.cli.render.measures import counted, format_count
from attribution.cli.render.networks import network_lines, network_sections
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.cli.render.terminal import say
from attribution.config import NO_NETWORK
from attribution.core.reasons import REASONS
from attribution.errors import QueryError
from attribution.query.explain.address_evidence import is_address
from attribution.query.explain.path import path_of
from attribution.query.explain.whois import Whois, whois
from attribution.query.lake.names import holders, is_known, missing, nearest
from attribution.query.lake.protocols import port_name
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_moment, format_span
from attribution.query.lake.zones import zone_name

_RANGES = (
    NETWORK,
    Column(name="start", kind="time"),
    Column(name="end", kind="time"),
    Column(name="length", kind="span", rank=3),
    Column(name="workload"),
    Column(name="service", rank=1),
    Column(name="port"),
    Column(name="longest_gap", kind="span", rank=2),
    Column(name="hole_count", title="holes", kind="count", rank=2),
)
#: Connections that were opened from a port are many, and each was seen all the time.
_CONNECTIONS = tuple(column for column in _RANGES if column.name not in ("longest_gap", "hole_count"))
_SHOWN_CONNECTIONS = 20
_HOSTNAMES = (
    NETWORK,
    Column(name="hostname"),
    Column(name="answers", kind="count"),
    Column(name="clients", kind="count"),
    Column(name="first_seen", kind="time", rank=1),
    Column(name="last_seen", kind="time", rank=1),
)
_POLICIES = (
    NETWORK,
    Column(name="prefix"),
    Column(name="pool"),
    Column(name="policy"),
    Column(name="data_centre", rank=1),
    Column(name="region", rank=4),
    Column(name="ttl", kind="span", rank=3),
    Column(name="start", kind="time", rank=2),
    Column(name="end", kind="time", rank=2),
)
_POOLED = ("pool", "policy", "policy_state")
_FLOWS = (
    NETWORK,
    Column(name="side"),
    Column(name="method"),
    Column(name="reason"),
    Column(name="service"),
    Column(name="pool", rank=2),
    Column(name="policy", rank=4),
    Column(name="policy_state", rank=3),
    Column(name="flows", kind="count"),
    Column(name="first_seen", kind="time", rank=1),
    Column(name="last_seen", kind="time", rank=1),
)


@click.command(name="whois")
@lake_argument
@click.argument("address")
@click.option(
    "--at",
    metavar="TIME",
    help="Say who held the address at this time: ISO 8601, or back from the last flow, like -90m.",
)
@click.option("--port", type=int, help="With --at: the port of the endpoint.")
@click.option(
    "--protocol", metavar="NAME|NUMBER", default="tcp", help="With --port: the transport protocol of the port."
)
@click.option(
    "--network",
    metavar="NAME",
    help="Show this network only, and with --at ask who held the address in it; - is that of evidence without one.",
)
@click.option("-w", "--window", metavar="FROM..TO", help="Count only flows that start in this window, like -1h.")
@timezone_option
@output_options(columns=(*_RANGES, *ASSIGNMENTS, *LABELS, *_HOSTNAMES, *_POLICIES, *_FLOWS))
def command(
    *,
    lake: Path,
    address: str,
    at: str | None,
    port: int | None,
    protocol: str,
    network: str | None,
    window: str | None,
    output: Output,
) -> None:
    r"""Show who held an address, and when: ownership ranges, assignment events, labels, flows.

    If workloads hold the address by port, the ranges of ports are those of who listened. Connections that were opened
    from a port stand apart, and so do ports of a balancer, which say nothing of who answers.

    If several networks have the address, they are shown apart, and --network shows one of them. With --at, the command
    also says what the rules answer for a connection at that time, and why. JSON has everything. CSV has the ownership
    ranges.

    \b
    Examples:
      attribution whois lake 10.0.0.7
      attribution whois lake 10.0.0.7 --at 2026-01-05T12:00:00Z --port 8080
      attribution whois lake 10.0.0.7 --at -1h --port 53 --protocol udp
      attribution whois lake 2001:db8::7 --network east --format json
    """
    with LakeSession(lake) as session:
        _say_what_a_name_had(session, address)
        found = whois(session, address, at=at, port=port, protocol=protocol, network=network, window=window)
        asked = counted_back(session, window)
        if not found.known:
            if network not in (None, NO_NETWORK):
                missing(session, "network", network)
            near = () if is_known(session, "address", found.address) else nearest(session, "address", found.address)
            if near:
                say(f"attribution: the lake knows addresses that are spelt alike: {', '.join(near)}")
    ranges = found.range_rows()
    if output.format == "json":
        output.json(found.to_dict())
    elif output.format == "csv":
        output.csv(list(ranges[0]) if ranges else [column.name for column in _RANGES[:-1]], ranges)
    else:
        output.document([*_document(found, ranges, network), *filter(None, [asked])])


def _say_what_a_name_had(session: LakeSession, text: str) -> None:
    """If the text is a name of the lake and no address, say which addresses it had.

    Raises:
        QueryError: it is such a name.
    """
    held = () if is_address(text) else holders(session, text)
    if held:
        raise QueryError(f"{text!r} is a name, and whois asks for an address; the last that it had: {', '.join(held)}")


def _document(found: Whois, ranges: list[dict[str, object]], network: str | None) -> list[Section | str]:
    parts: list[Section | str] = [_headline(found, network)]
    if found.verdict is not None:
        parts += [
            "\n".join([_answer(found), *network_lines(found.networks)]),
            *network_sections(found.networks),
            *path_sections(path_of(found.verdict, found.verdict.reason)),
            *witness_sections(found.witnesses),
        ]
    shown = [
        row | {"hole_count": len(one.holes), "port": port_name(one.port, one.protocol, one.last_port)}
        for row, one in zip(ranges, found.evidence.ranges, strict=True)
    ]
    by_claim = {claim: [row for row in shown if row["claim"] == claim] for claim in (None, "shown", "balanced")}
    by_port = any(row["port"] is not None for row in by_claim[None])
    columns = [column for column in _RANGES if column.name != "port" or by_port]
    counts = [vars(count) for count in found.flows]
    known = [column for column in _FLOWS if column.name not in _POOLED or any(row[column.name] for row in counts)]
    policies = [policy.to_dict() for policy in found.policies]
    sections = (
        evidence_section(_POLICIES, policies, "Policies that have had it in a pool, longest prefix first"),
        evidence_section(columns, by_claim[None], "Ownership ranges"),
        _connections(by_claim["shown"], found.at),
        evidence_section(_CONNECTIONS, by_claim["balanced"], "Ports with a balancer: who was seen behind them"),
        evidence_section(ASSIGNMENTS, assignment_rows(found.evidence.assignments), "Assignment events"),
        evidence_section(LABELS, [vars(label) for label in found.evidence.labels], "Labels, longest prefix first"),
        evidence_section(_HOSTNAMES, [vars(name) for name in found.hostnames], "Names that clients were told"),
        evidence_section(known, counts, "Flows, by how this side was answered for"),
    )
    return [*parts, *(section for section in sections if section.rows)]


def _connections(rows: Sequence[Mapping[str, Any]], at: datetime | None) -> Section:
    """The connections that were opened from a port: those nearest to a moment, or else the last."""
    nearest = sorted(rows, key=lambda row: _away(row, at))[:_SHOWN_CONNECTIONS] if at else rows[-_SHOWN_CONNECTIONS:]
    section = evidence_section(
        _CONNECTIONS, sorted(nearest, key=itemgetter("start", "end")), "Connections that were opened from its ports"
    )
    rest = len(rows) - len(nearest)
    return replace(section, note=f"and {format_count(rest)} more (--format json or csv has all)" if rest else "")


def _away(row: Mapping[str, Any], at: datetime) -> timedelta:
    return max(row["start"] - at, at - row["end"], timedelta(0))


def _headline(found: Whois, network: str | None) -> str:
    workloads = len({one.workload for one in found.evidence.ranges})
    ranges = len(found.evidence.ranges)
    flows = sum(count.flows for count in found.flows)
    if not found.known:
        place = "in this lake" if network is None else f"in the network {network} of this lake"
        return f"{found.address}: nothing is known of it {place}."
    counts = ((workloads, "workload"), (ranges, "ownership range"), (flows, "flow"))
    networks = f"; networks: {', '.join(found.named_networks)}" if found.named_networks else ""
    listed = ", ".join(counted(n, noun) for n, noun in counts)
    return f"{found.address}: {listed}{networks}"


def _answer(found: Whois) -> str:
    verdict, at = found.verdict, found.at
    if verdict is None or at is None:
        raise ValueError("no moment was asked about")
    who = verdict.workload or verdict.service or ("nobody's" if verdict.method == "policy" else "unattributed")
    if verdict.workload and verdict.service:
        who = f"{verdict.service} ({verdict.workload})"
    where = found.address if found.port is None else f"{found.address} port {port_name(found.port, found.protocol)}"
    distance = verdict.ownership.distance
    age = "" if not distance else f"; nearest evidence {format_span(distance)} away"
    return (
        f"{where} at {format_moment(at)} {zone_name()}: {who}\n"
        f"{verdict.method}, {verdict.reason}: {REASONS[verdict.reason]}{age}"
    )
