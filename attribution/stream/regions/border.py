"""What one region's job knows of the others: whose an address is, and so which rows are its business.

A region keeps evidence about its own addresses and about addresses of no region. It does not take evidence about
another region's addresses. A flow whose remote address is another region's goes to the `Ask` operator instead of out.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.regions import NOWHERE, UNSURE, RegionTable
from attribution.core.columnar.dictionaries import plain
from attribution.core.columnar.types import Bool, Int32, Texts
from attribution.core.question import Side
from attribution.errors import ConfigError
from attribution.records import BY_NAME
from attribution.stream.buckets.partitioning import by_bucket
from attribution.stream.buckets.payload import CROSSING, pack_of_peer
from attribution.stream.regions.open_questions import unanswered
from attribution.stream.regions.region_file import read_regions
from attribution.stream.wire.dead_letters import Rejected

_LOOK_S = 3.0
#: Rows of an entry.
_ROWS = 1 << 13
_LOG = logging.getLogger(__name__)


class Border:
    """The regions, as the job of one of them sees them.

    Every operator has a copy, which reads the file again when its time or size has changed. A file that became
    unreadable or wrong changes nothing: the table from before stays.

    Args:
        region: the region of this job.
        path: the file that says which prefixes belong to which region.
        settings: the settings of the rules.
        buckets: how many there are.

    Attributes:
        region: the region of this job.
        peers: the other regions that the file named at the start, who have topics; the file may name more later, whom
            nobody asks until the job is started again.
        failed: whether the file cannot be used as it is now.

    Raises:
        ConfigError: the file cannot be used, or does not name the region.
    """

    def __init__(self, region: str, path: Path, settings: Settings, *, buckets: int) -> None:
        self._path, self._settings, self._buckets = path, settings, buckets
        self.region = region
        self._seen = _version(path)
        self._table = self._read()
        self.peers = tuple(name for name in self._table.names if name != region)
        self.failed = False
        self._looked_s = 0.0

    @property
    def table(self) -> RegionTable:
        """The regions as they are now."""
        now_s = time.monotonic()
        if not 0 <= now_s - self._looked_s < _LOOK_S:
            self._looked_s = now_s
            self._look()
        return self._table

    def _look(self) -> None:
        version = _version(self._path)
        if version == self._seen:
            return
        self._seen = version
        try:
            self._table = self._read()
        except ConfigError as error:
            self.failed = True
            _LOG.warning("%s; the regions stay as they were", error)
        else:
            self.failed = False

    def _read(self) -> RegionTable:
        table = read_regions(self._path, self._settings)
        if self.region not in table.names:
            raise ConfigError(f"{self._path} has no prefix of {self.region!r}, but of {', '.join(table.names)}")
        return table

    def foreign(self, asked: AskedPlaces | Texts) -> Bool:
        """Whether each address is another region's for sure."""
        table = self.table
        number = table.numbers(asked)
        foreign: Bool = (number >= 0) & (number != table.names.index(self.region))
        return foreign

    def within(self, flows: pa.RecordBatch, side: Side, region: str) -> Bool:
        """Whether the address of one side of each flow, or question, is of a region for sure."""
        return self.table.within(AskedPlaces.of(flows, side, self._settings), region)

    def crossing(self, flows: pa.RecordBatch) -> tuple[pa.RecordBatch, Iterator[tuple[int, bytes]]]:
        """Part attributed flows: the flows that stay, and (bucket, entry) for `Ask` with the flows to other regions.

        Nobody is asked about a flow to a region that has no topics. Nor is anybody asked about a flow whose local
        address is not this region's: the peer would not believe it. The entries of such flows are of the region "".

        A flow stays, too, if its remote address may be of several regions. Then nobody is asked, and nobody is named.
        """
        table = self.table
        number = table.numbers(AskedPlaces.of(flows, "remote", self._settings))
        unsure = number == UNSURE
        away = (number >= 0) & (number != table.names.index(self.region))
        if unsure.any():
            flows = unanswered(flows, unsure)
        if not away.any():
            return flows, iter(())
        crossing = plain(flows.filter(pa.array(away)))
        return flows.filter(pa.array(~away)), self._entries(crossing, number[away], table)

    def own(self, kind: str, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Rejected]]:
        """The rows of evidence that are not about another region's address, and a letter about the others."""
        address = BY_NAME[kind].asked_by
        if not BY_NAME[kind].of_region:
            return batch, []
        network = batch.column("network")
        told = None if network.null_count == len(network) else network
        foreign = self.foreign(AskedPlaces(batch.column(address), told, np.full(batch.num_rows, True)))
        if not foreign.any():
            return batch, []
        first = batch.column(address)[int(np.argmax(foreign))].as_py()
        found = f"{foreign.sum()} rows, the first about {first}"
        return batch.filter(pa.array(~foreign)), [Rejected(None, "foreign_prefix", found)]

    def may_have(self, addresses: Texts, region: str) -> Bool:
        """Whether each address may be of a region, in whatever network."""
        table = self.table
        number = table.numbers(addresses)
        return (number == UNSURE) | (number == (table.names.index(region) if region in table.names else UNSURE))

    def _entries(self, flows: pa.RecordBatch, number: Int32, table: RegionTable) -> Iterator[tuple[int, bytes]]:
        peer = np.where(self.within(flows, "local", self.region), number, NOWHERE)
        for region in np.unique(peer).tolist():
            name = table.names[region] if region >= 0 and table.names[region] in self.peers else ""
            rows = flows.filter(pa.array(peer == region))
            for bucket, part in by_bucket(rows, "remote_address", self._buckets):
                for at in range(0, part.num_rows, _ROWS):
                    yield bucket, pack_of_peer(CROSSING, part.slice(at, _ROWS), name)


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
