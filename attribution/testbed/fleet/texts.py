"""Texts of a fleet's numbers, as Arrow columns: names of workloads, services, hosts, networks, and addresses."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa

from attribution.core.addressing.sockets import columns_of
from attribution.core.columnar.types import Bool, Int64
from attribution.schema import TIMESTAMP
from attribution.testbed.fleet.networks import network_name
from attribution.testbed.fleet.world.addresses import address_text
from attribution.testbed.fleet.world.catalogue import Catalogue
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind


class FleetTexts:
    """Names of a fleet's tenures, addresses and hosts, as Arrow arrays to take from; each is made once, when used."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    @cached_property
    def _key_texts(self) -> pa.Array:
        numbers, back = np.unique(self.fleet.key_address, return_inverse=True)
        return pa.array([address_text(n) for n in numbers.tolist()], pa.string()).take(pa.array(back))

    @cached_property
    def _workloads(self) -> pa.Array:
        catalogue, tenures = self.fleet.catalogue, self.fleet.tenures
        service = catalogue.slot_service[tenures.slot]
        ordinal = tenures.slot - catalogue.first_slot[service]
        named = self.fleet.kind <= Kind.LOAD_BALANCER
        texts = [
            f"{catalogue.names[s]}-{o}.{g}" if ok else None
            for s, o, g, ok in zip(
                service.tolist(), ordinal.tolist(), tenures.generation.tolist(), named.tolist(), strict=True
            )
        ]
        return pa.array(texts, pa.string())

    @cached_property
    def _services(self) -> pa.Array:
        return pa.array([name or None for name in self.fleet.catalogue.names], pa.string())

    @cached_property
    def _hosts(self) -> pa.Array:
        hosts, observers = self.fleet.hosts, len(self.fleet.skew)
        names = [f"host-{i}" if i < hosts else f"router-{i - hosts}" for i in range(observers)]
        return pa.array(names, pa.string())

    def address(self, tenure: Int64) -> pa.Array:
        """Address of each tenure."""
        return self._key_texts.take(pa.array(self.fleet.tenures.key[tenure]))

    def workload(self, tenure: Int64) -> pa.Array:
        """Unique name of each tenure's workload, `cart-2.5` the fifth successor in place 2; null outside the fleet."""
        return self._workloads.take(pa.array(tenure))

    def service(self, tenure: Int64) -> pa.Array:
        """Service of each tenure; null where nothing names it."""
        return self._services.take(pa.array(self.fleet.catalogue.slot_service[self.fleet.tenures.slot[tenure]]))

    def region(self, tenure: Int64) -> pa.Array:
        """Name of each tenure's region; null outside the fleet, and where there is one region only."""
        names = region_names(self.fleet.catalogue)
        number = self.fleet.zone(tenure)
        return pa.array(names, pa.string()).take(pa.array(number, mask=(number < 0) | (len(names) == 1)))

    def network(self, tenure: Int64, told: Bool | None = None) -> pa.Array:
        """Name of each tenure's network; null outside the fleet, where it is not told, and where there is one only."""
        networks = self.fleet.catalogue.networks
        if networks == 1:
            return pa.nulls(len(tenure), pa.string())
        names = [network_name(number) for number in range(networks)]
        number = self.fleet.zone(tenure)
        unknown = number < 0 if told is None else (number < 0) | ~told
        return pa.array(names, pa.string()).take(pa.array(number, mask=unknown))

    def host(self, host: Int64) -> pa.Array:
        """Name of each observer."""
        return self._hosts.take(pa.array(host))

    def owned(self, tenure: Int64) -> dict[str, pa.Array]:
        """Protocol and port of the one socket of each tenure; null where it holds the whole address."""
        return columns_of(self.fleet.key_socket[self.fleet.tenures.key[tenure]].astype(np.int32))


def time_column(values: Int64) -> pa.Array:
    """Times of microseconds UTC."""
    return pa.array(values, pa.int64()).cast(TIMESTAMP)


def constant_column(value: str | float, kind: pa.DataType, rows: int) -> pa.Array:
    """One value in each of so many rows."""
    return pa.repeat(pa.scalar(value, kind), rows)


def either_column(mask: Bool, text: str, otherwise: str) -> pa.Array:
    """The text where the mask is set, and the other one elsewhere."""
    return pa.array([otherwise, text]).take(pa.array(mask.astype(np.int8)))


def masked_column(mask: Bool, texts: pa.Array) -> pa.Array:
    """The texts where the mask is set; null elsewhere."""
    return texts.take(pa.array(np.arange(len(mask)), pa.int64(), mask=~mask))


def address_column(numbers: Int64) -> pa.Array:
    """Texts of the addresses of translators; null for -1."""
    distinct, place = np.unique(numbers, return_inverse=True)
    texts = pa.array([address_text(n) if n >= 0 else None for n in distinct.tolist()], pa.string())
    return texts.take(pa.array(place))


def filled(columns: Mapping[str, pa.Array], schema: pa.Schema) -> dict[str, pa.Array]:
    """The columns, with nulls for the fields that may be null and that the simulation says nothing about."""
    rows = len(next(iter(columns.values())))
    return {f.name: pa.nulls(rows, f.type) for f in schema if f.nullable} | dict(columns)


def region_names(catalogue: Catalogue) -> list[str]:
    """What the regions of a fleet are called."""
    regions = 1 if catalogue.networks > 1 else int(catalogue.zone.max(initial=0)) + 1
    return [f"region-{number + 1}" for number in range(regions)]
