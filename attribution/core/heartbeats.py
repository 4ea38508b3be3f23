"""Heartbeats in columns of numbers: what the rules work on."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columns import Int32, Int64, encode, microseconds
from attribution.core.prefixes import PrefixTable
from attribution.core.sockets import columns_of, held_sockets
from attribution.schema import HEARTBEAT, TIMESTAMP, arrow_schema

#: The fields of `Heartbeats` that have a row for each heartbeat.
COLUMNS = ("address", "socket", "workload", "service", "start", "end")

#: Addresses that every host has, or many have at once: loopback, link-local, multicast, broadcast, unspecified.
_OF_NO_ONE_HOST = PrefixTable.of_prefixes(
    (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"),
        *("::/128", "::1/128", "fe80::/10", "ff00::/8"),
    )
)


@dataclass(frozen=True)
class Heartbeats:
    """Heartbeats as numbers: ids into the text arrays beside them, times in microseconds."""

    address: Int32
    socket: Int32
    workload: Int32
    service: Int32
    start: Int64
    end: Int64
    addresses: Any
    workloads: Any
    services: Any

    @classmethod
    def of(cls, batch: Any) -> "Heartbeats":
        """The heartbeats of a canonical Arrow batch or table of `schemas/heartbeat.avsc`."""
        address, addresses = encode(batch.column("address"))
        workload, workloads = encode(batch.column("workload"))
        service, services = encode(batch.column("service"))
        return cls(
            address=address,
            socket=held_sockets(batch),
            workload=workload,
            service=service,
            start=microseconds(batch.column("start")),
            end=microseconds(batch.column("end")),
            addresses=addresses,
            workloads=workloads,
            services=services,
        )

    def __len__(self) -> int:
        return len(self.start)

    def of_one_host(self) -> "Heartbeats":
        """Without those on addresses of no one host: who was seen there says nothing of whom another means by it."""
        elsewhere = _OF_NO_ONE_HOST.contains(self.addresses)
        return self.take(np.flatnonzero(~elsewhere[self.address])) if elsewhere.any() else self

    def take(self, rows: Int64) -> "Heartbeats":
        """Those of these rows, under the same numbers."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def table(self) -> Any:
        """As a canonical table of `schemas/heartbeat.avsc`, without observers: no rule asks for them."""
        columns = {
            **columns_of(self.socket),
            "address": pc.take(self.addresses, pa.array(self.address)),
            "workload": pc.take(self.workloads, pa.array(self.workload)),
            "service": pc.take(self.services, pa.array(self.service, mask=self.service < 0)),
            "start": pa.array(self.start).cast(TIMESTAMP),
            "end": pa.array(self.end).cast(TIMESTAMP),
            "observer": pa.nulls(len(self), pa.string()),
        }
        schema = arrow_schema(HEARTBEAT)
        return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
