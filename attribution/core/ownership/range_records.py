"""Ownership ranges as records of `schemas/ownership_range.avsc`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.places import split_places
from attribution.core.addressing.sockets import ANY_SOCKET, columns_of
from attribution.core.columnar.arrays import NONE, order_by
from attribution.core.columnar.types import Bool, Int64
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.keys import Keys
from attribution.core.ownership.ranges import Holes, RangeTables
from attribution.schema import OWNERSHIP_RANGE, TIMESTAMP, arrow_schema


def range_records(
    heartbeats: Heartbeats, tables: RangeTables, *, several: str | None = None, among: Int64 | None = None
) -> pa.RecordBatch:
    """The ranges as a record batch, by address, socket and time.

    Left out are ranges that only say that an address is shared, and ranges of port blocks that nobody named as a range.

    Args:
        heartbeats: the heartbeats that `tables` were built of.
        tables: the ranges.
        several: service of a range whose heartbeats name several.
        among: places of ranges in `tables.ranges`; all by default.
    """
    ranges, keys = tables.ranges, tables.keys
    among = np.arange(len(ranges.start)) if among is None else among
    group = ranges.group[among]
    own = among[(group < keys.addresses) | (group >= keys.first_socket)]
    address, socket, is_key = _addressed(keys, ranges.group[own])
    own, address, socket = own[is_key], address[is_key], socket[is_key]
    order = order_by(address, socket, ranges.start[own])
    own, address = own[order], address[order]
    # Heartbeats that do not agree on a service, where no single service is left, name several.
    differ = ~ranges.uniform[own] & (ranges.service[own] < 0)
    service = pc.take(heartbeats.services, pa.array(ranges.service[own], mask=ranges.service[own] < 0))
    schema = arrow_schema(OWNERSHIP_RANGE)
    addresses, networks = split_places(heartbeats.addresses)
    columns = {
        "address": pc.take(addresses, pa.array(address)),
        "network": pc.take(networks, pa.array(address)),
        **columns_of(socket[order]),
        "workload": pc.take(heartbeats.workloads, pa.array(ranges.workload[own])),
        "service": pc.if_else(pa.array(differ), pa.scalar(several, pa.string()), service),
        "start": _times(ranges.start[own]),
        "end": _times(ranges.end[own]),
        "longest_gap": pa.array(ranges.longest_gap[own]),
        "holes": _lists(tables.holes, len(ranges.start), schema.field("holes").type).take(pa.array(own)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _addressed(keys: Keys, group: Int64) -> tuple[Int64, Int64, Bool]:
    """Address and socket (or range of ports) of each key, and whether heartbeats name this key itself."""
    single = (group >= keys.addresses) & (group < keys.first_block)
    of_key, held = keys.sockets(np.where(single, group - keys.first_socket, NONE))
    address, socket = np.where(single, of_key, group), np.where(single, held, ANY_SOCKET)
    is_key = np.ones(len(group), np.bool_)
    ranged = np.flatnonzero(group >= keys.first_block)
    if len(ranged):
        address[ranged], socket[ranged], is_key[ranged] = keys.blocks.ranges_of(group[ranged] - keys.first_block)
    return address, socket, is_key


def _lists(holes: Holes, ranges: int, kind: pa.ListType) -> pa.ListArray:
    """The holes of every range."""
    before = np.searchsorted(holes.range, np.arange(ranges + 1))
    spans = pa.StructArray.from_arrays([_times(holes.start), _times(holes.end)], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(before.astype(np.int32)), spans).cast(kind)


def _times(values: Int64) -> pa.TimestampArray:
    return pa.array(values, pa.int64()).cast(TIMESTAMP)
