"""The kinds of records: one row each says where a kind is read, sent, kept and asked for.

Each row has the plain facts that differ by kind: option of the command line, topic, tag in the job's state, folder of
the lake. Fields and their types stand in `schemas/KIND.avsc` (`attribution.schema`). What the rules make of a kind
stands in `attribution.core`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from attribution.schema import (
    ANSWER,
    ASSIGNMENT,
    ATTRIBUTED_FLOW,
    DEAD_LETTER,
    FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    OWNERSHIP_RANGE,
    POLICY,
    QUESTION,
    SOCKET_RULE,
)


class Role(StrEnum):
    """Who writes a kind of record, and who reads it."""

    #: Sources yield it; replay and the job read it.
    INPUT = "input"
    #: Replay or the job writes it.
    OUTPUT = "output"
    #: Jobs of two regions send it to each other.
    REGION = "region"


@dataclass(frozen=True, kw_only=True)
class RecordKind:
    """One kind of record.

    Attributes:
        name: of its file in `schemas/`.
        plural: its option of the command line, its topic and its folder in a lake, with `-` or `_` between words.
        role: who writes it and who reads it.
        given: what a person gives as its option; the option's help text.
        told_by: the fields that make a native row one of this kind.
        hints: fields that show what an incomplete native row was meant to be.
        also: other kinds that are read from what its option names.
        on_topic: whether it has a topic.
        in_lake: whether it has a folder in a lake.
        partitions: keys of the Hive partitions in that folder.
        reported: the field with the moment before which a row cannot have been reported; None for configuration.
        asked_by: the field with the address by which flows ask for it; None where every flow may ask for any row.
        of_region: whether a row is about a workload at that address, which one region alone may speak of.
        tag: the byte that marks its rows between the job's operators and in their state; None where it never is there.
    """

    name: str
    plural: str
    role: Role
    given: str = ""
    told_by: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    on_topic: bool = True
    in_lake: bool = True
    partitions: tuple[str, ...] = ()
    reported: str | None = None
    asked_by: str | None = None
    of_region: bool = False
    tag: bytes | None = None

    @property
    def option(self) -> str:
        """Its option of the command line."""
        return "--" + self.plural.replace("_", "-")

    @property
    def topic(self) -> str:
        """Name of its topic, without prefix."""
        return self.plural.replace("_", "-")

    @property
    def read_as(self) -> tuple[str, ...]:
        """The kinds that are read from what its option names."""
        return (self.name, *self.also)


#: All kinds, in the order in which documentation lists them and a run reads them.
KINDS: Final = (
    # What sources yield.
    RecordKind(
        name=FLOW,
        plural="flows",
        role=Role.INPUT,
        given="Flow logs: file, folder, glob, or - for standard input; repeatable.",
        told_by=("local_address", "remote_address"),
        hints=("local_address", "remote_address"),
        in_lake=False,
        reported="end",
        tag=b"f",
    ),
    RecordKind(
        name=HEARTBEAT,
        plural="heartbeats",
        role=Role.INPUT,
        given="More heartbeats: native, pod lists, leases, or a log whose flows are evidence only.",
        told_by=("address", "workload"),
        hints=("workload", "address"),
        also=(FLOW,),
        in_lake=False,
        reported="end",
        asked_by="address",
        of_region=True,
        tag=b"h",
    ),
    RecordKind(
        name=ASSIGNMENT,
        plural="assignments",
        role=Role.INPUT,
        given="Assignment events: native, CloudTrail.",
        told_by=("address", "owner", "action"),
        hints=("owner", "action"),
        reported="time",
        asked_by="address",
        of_region=True,
        tag=b"a",
    ),
    RecordKind(
        name=NAME_BINDING,
        plural="name_bindings",
        role=Role.INPUT,
        given="DNS answers: native, Zeek dns, dnstap, Route 53 Resolver.",
        told_by=("hostname", "server_address"),
        hints=("server_address",),
        reported="time",
        asked_by="server_address",
        tag=b"n",
    ),
    RecordKind(
        name=LABEL,
        plural="labels",
        role=Role.INPUT,
        given="Prefixes with names: ip-ranges.json or a prefix file.",
        told_by=("prefix", "service"),
        hints=("prefix",),
        on_topic=False,
    ),
    RecordKind(
        name=POLICY,
        plural="policies",
        role=Role.INPUT,
        given="Policies and their pools, whose prefixes become --pool-prefix; socket rules beside them.",
        told_by=("policy", "pool", "prefix"),
        hints=("pool",),
        also=(SOCKET_RULE,),
        tag=b"p",
    ),
    RecordKind(
        name=SOCKET_RULE,
        plural="socket_rules",
        role=Role.INPUT,
        given="Socket rules: who gets the connections to a prefix and ports.",
        told_by=("rule", "prefix", "service"),
        hints=("rule",),
        tag=b"s",
    ),
    # What a run writes.
    RecordKind(
        name=ATTRIBUTED_FLOW,
        plural="attributed_flows",
        role=Role.OUTPUT,
        partitions=("date", "hour"),
        reported="end",
    ),
    RecordKind(
        name=OWNERSHIP_RANGE,
        plural="ownership_ranges",
        role=Role.OUTPUT,
        partitions=("date",),
        reported="end",
    ),
    RecordKind(name=DEAD_LETTER, plural="dead_letters", role=Role.OUTPUT),
    # What streaming jobs of two regions send each other.
    RecordKind(name=QUESTION, plural="questions", role=Role.REGION, on_topic=False, in_lake=False, reported="end"),
    RecordKind(name=ANSWER, plural="answers", role=Role.REGION, on_topic=False, in_lake=False),
)

#: Every kind by its name.
BY_NAME: Final = {kind.name: kind for kind in KINDS}
#: Records that sources yield.
INPUT_RECORDS: Final = tuple(kind.name for kind in KINDS if kind.role is Role.INPUT)
#: Records that a run writes; dead letters only where it reads from topics.
OUTPUT_RECORDS: Final = tuple(kind.name for kind in KINDS if kind.role is Role.OUTPUT)
#: Records that streaming jobs of two regions send each other.
REGION_RECORDS: Final = tuple(kind.name for kind in KINDS if kind.role is Role.REGION)
#: Records that say something about flows.
EVIDENCE: Final = tuple(name for name in INPUT_RECORDS if name != FLOW)
#: Evidence that is configuration: it is of use as long as it may be in force, and has no moment of report.
CONFIGURATION: Final = tuple(name for name in EVIDENCE if BY_NAME[name].reported is None)

#: The order in which a native row is tried: flows first, since most rows are flows; then what asks for most fields.
TOLD_APART: Final = tuple(
    sorted((BY_NAME[name] for name in INPUT_RECORDS), key=lambda kind: (kind.name != FLOW, -len(kind.told_by)))
)
