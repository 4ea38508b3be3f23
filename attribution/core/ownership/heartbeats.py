"""Heartbeats in columns of numbers, which the rules work on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.places import places_of, split_places
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import columns_of, held_sockets
from attribution.core.columnar.arrays import encode, microseconds, recode
from attribution.core.columnar.types import Int32, Int64, Records
from attribution.schema import HEARTBEAT, TIMESTAMP, arrow_schema

#: The fields of `Heartbeats` that have a row for each heartbeat.
COLUMNS = ("address", "socket", "workload", "service", "start", "end")
#: The fields among them that are numbers of texts, each with the field that holds the texts.
TEXTS = {"address": "addresses", "workload": "workloads", "service": "services"}

#: Addresses that every host has, or many have at once: loopback, link-local, multicast, broadcast, unspecified.
_OF_NO_ONE_HOST = PrefixTable.of_prefixes(
    (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"),
        *("::/128", "::1/128", "fe80::/10", "ff00::/8"),
    )
)


@dataclass(frozen=True)
class Heartbeats:
    """Heartbeats as numbers, in any order.

    Attributes:
        address: number of each address, in its network, in `addresses`.
        socket: the socket, or range of ports, as of `sockets.held_sockets`.
        workload: place of each workload in `workloads`.
        service: place of each service in `services`; `NONE` where a heartbeat names none.
        start: first moment, µs.
        end: last moment, µs.
        addresses: distinct places (`attribution.core.addressing.places`): addresses, each in its network.
        workloads: distinct workloads.
        services: distinct services.
    """

    address: Int32
    socket: Int64
    workload: Int32
    service: Int32
    start: Int64
    end: Int64
    addresses: pa.StringArray
    workloads: pa.StringArray
    services: pa.StringArray

    @classmethod
    def of(cls, records: Records) -> "Heartbeats":
        """The heartbeats of a canonical batch or table of `schemas/heartbeat.avsc`."""
        address, addresses = encode(places_of(records))
        workload, workloads = encode(records.column("workload"))
        service, services = encode(records.column("service"))
        return cls(
            address=address,
            socket=held_sockets(records),
            workload=workload,
            service=service,
            start=microseconds(records.column("start")),
            end=microseconds(records.column("end")),
            addresses=addresses,
            workloads=workloads,
            services=services,
        )

    def __len__(self) -> int:
        return len(self.start)

    def of_one_host(self) -> "Heartbeats":
        """Without heartbeats of addresses that many hosts have: who was seen there says nothing of another host's."""
        elsewhere = _OF_NO_ONE_HOST.contains(split_places(self.addresses)[0])
        return self.take(np.flatnonzero(~elsewhere[self.address])) if elsewhere.any() else self

    def take(self, rows: Int64) -> "Heartbeats":
        """The heartbeats of these rows, under the same numbers."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def without_unused_text(self) -> "Heartbeats":
        """The same heartbeats without the texts that none of them has; the other texts stay in order."""
        fields: dict[str, Any] = {}
        for name, plural in TEXTS.items():
            code, known = getattr(self, name), getattr(self, plural)
            used = np.zeros(len(known) + 1, np.bool_)
            used[code] = True
            place = np.cumsum(used, dtype=np.int32) - np.int32(1)
            place[-1] = -1
            fields |= {name: place[code], plural: known.take(pa.array(np.flatnonzero(used[:-1])))}
        return replace(self, **fields)

    @classmethod
    def joined(cls, parts: Sequence["Heartbeats"]) -> "Heartbeats":
        """The heartbeats of all parts, one or more, under new numbers."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
        for name, plural in TEXTS.items():
            texts = pa.concat_arrays([getattr(part, plural) for part in parts]).dictionary_encode()
            table = np.split(texts.indices.to_numpy(), np.cumsum([len(getattr(part, plural)) for part in parts])[:-1])
            codes = [recode(getattr(part, name), place) for part, place in zip(parts, table, strict=True)]
            columns |= {name: np.concatenate(codes), plural: texts.dictionary}
        return cls(**columns)

    def table(self) -> pa.Table:
        """A canonical table of `schemas/heartbeat.avsc`, without observers: no rule asks for them."""
        addresses, networks = split_places(self.addresses)
        columns = {
            **columns_of(self.socket),
            "address": pc.take(addresses, pa.array(self.address)),
            "network": pc.take(networks, pa.array(self.address)),
            "workload": pc.take(self.workloads, pa.array(self.workload)),
            "service": pc.take(self.services, pa.array(self.service, mask=self.service < 0)),
            "start": pa.array(self.start).cast(TIMESTAMP),
            "end": pa.array(self.end).cast(TIMESTAMP),
            "observer": pa.nulls(len(self), pa.string()),
        }
        schema = arrow_schema(HEARTBEAT)
        return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
