"""The objects of the graph: nodes, edges, and everything together."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from attribution.query.lake.window import Window


class NodeKind(StrEnum):
    """What a node is; an undirected edge is read from an earlier kind to a later one."""

    #: A service that heartbeats, the log or socket rules name.
    SERVICE = "service"
    #: A workload that heartbeats or the log name.
    WORKLOAD = "workload"
    #: Something that assignment events or labels name.
    EXTERNAL = "external"
    #: A hostname that addresses of a pool were used for.
    NAME = "name"
    #: The addresses of a pool.
    POOL = "pool"
    #: A hostname that clients used for an unattributed address.
    HOSTNAME = "hostname"
    #: Unattributed addresses of one reason.
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, order=True)
class Name:
    """What a node is called; kind keeps a service that is called like a placeholder apart from it.

    Attributes:
        kind: what the node is.
        text: a service, a workload, a hostname, `pool` and its name, or a reason.
    """

    kind: NodeKind
    text: str

    def __str__(self) -> str:
        return f"(unattributed: {self.text})" if self.kind == NodeKind.UNATTRIBUTED else self.text

    @property
    def attributed(self) -> bool:
        """Whether evidence names it: a hostname only says what clients called it."""
        return self.kind not in (NodeKind.HOSTNAME, NodeKind.UNATTRIBUTED)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node and all its traffic, whether it opened it or not; bytes and packets are null where no log says.

    `unattributed_flows` and `unattributed_bytes` are those with an unattributed end; `service` is that of a workload.
    """

    name: Name
    service: str | None
    peers: int
    flows: int
    bytes_sent: int | None
    bytes_received: int | None
    packets_sent: int | None
    packets_received: int | None
    unattributed_flows: int
    unattributed_bytes: int
    first_seen: datetime
    last_seen: datetime

    def to_dict(self) -> dict[str, object]:
        """A flat row."""
        row: dict[str, object] = {"node": str(self.name), "kind": self.name.kind}
        return row | {key: value for key, value in vars(self).items() if key != "name"}


@dataclass(frozen=True, kw_only=True)
class PortCount:
    """Flows to one port of the server (of an undirected edge: the lower one)."""

    port: int | None
    protocol: str | None
    flows: int

    def __str__(self) -> str:
        if self.port is None:
            return self.protocol or "-"
        return f"{self.port}/{self.protocol}" if self.protocol else str(self.port)


@dataclass(frozen=True, kw_only=True)
class MethodCount:
    """Flow records whose ends were attributed by these methods."""

    source: str
    target: str
    flows: int


@dataclass(frozen=True, kw_only=True)
class ObserverCount:
    """Reports of one observer about an edge; null is one without a name.

    Attributes:
        end: whose log it is: the local end of the reports, `source` or `target` of the edge.
        counted: how many of the reports count, for a way at least.
    """

    observer: str | None
    end: str
    reports: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Traffic from a client to a server, or between two ends of which nobody knows who opened it (`directed` False).

    Flows are the reports that count, bytes and packets are theirs; `source_records` and `target_records` say how many
    reports each end made. `out` is source to target, `back` the other way.

    Attributes:
        observers: the five with most reports; `observer_count` is how many there are.
        ports: the five with most flows; `port_count` is how many there are.
    """

    source: Name
    target: Name
    directed: bool
    flows: int
    bytes_out: int | None
    bytes_back: int | None
    packets_out: int | None
    packets_back: int | None
    ports: tuple[PortCount, ...]
    port_count: int
    methods: tuple[MethodCount, ...]
    source_records: int
    target_records: int
    first_seen: datetime
    last_seen: datetime
    observers: tuple[ObserverCount, ...]
    observer_count: int

    @property
    def bytes(self) -> int | None:
        """Both directions together; None where neither is known."""
        return both_ways(self.bytes_out, self.bytes_back)

    def to_dict(self) -> dict[str, object]:
        """A row; ports and methods stay lists of objects."""
        row: dict[str, object] = {
            "source": str(self.source),
            "target": str(self.target),
            "source_kind": self.source.kind,
            "target_kind": self.target.kind,
        }
        row |= {key: value for key, value in vars(self).items() if key not in ("source", "target")}
        return row | {
            "ports": [asdict(port) for port in self.ports],
            "methods": [asdict(count) for count in self.methods],
            "observers": [asdict(count) for count in self.observers],
        }


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The whole graph, also what `attributed_only` or `limit` leave out; times are None where there are no flows.

    `flows` are the reports that count, `records` all. `unattributed_reasons` has the
    flows of each reason; those with two unattributed ends count for both.
    """

    flows: int
    records: int
    bytes: int | None
    packets: int | None
    unattributed_flows: int
    unattributed_bytes: int
    unattributed_reasons: Mapping[str, int]
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes and edges, unattributed ones last, otherwise most bytes first.

    Attributes:
        window: the window that was asked for.
        node_count: nodes to show, also those beyond a limit on nodes.
        edge_count: edges to show, also those beyond the limit.
    """

    window: Window
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    node_count: int
    edge_count: int
    totals: Totals

    def to_dict(self) -> dict[str, object]:
        """The graph as plain values, for JSON."""
        return {
            "window": self.window.to_dict(),
            "totals": asdict(self.totals),
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
        }


def both_ways(one: int | None, other: int | None) -> int | None:
    """The sum of what is known; None where nothing is."""
    return None if one is None and other is None else (one or 0) + (other or 0)
