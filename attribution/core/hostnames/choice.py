"""The hostname of a flow: what the record carries; else what the client was told, if that leaves one name."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import NONE, order_by, spread
from attribution.core.columnar.interval_index import Candidates
from attribution.core.columnar.types import Bool, Column, Int32, Int64, Texts
from attribution.core.fallback.pools import nothing
from attribution.core.flow_evidence.ends import shows_remote_wire
from attribution.core.hostnames.bindings import NameIndex
from attribution.core.question import OTHER_SIDE, Question, Side, opened_and_accepted
from attribution.core.reasons import HOSTNAME_CODES, HOSTNAME_REASONS

_REASONS = pa.array(HOSTNAME_REASONS)
_RECORDED, _TOLD, _SEVERAL = HOSTNAME_CODES["recorded"], HOSTNAME_CODES["told"], HOSTNAME_CODES["several"]
_INCOMPLETE, _UNTOLD = HOSTNAME_CODES["incomplete"], HOSTNAME_CODES["untold"]
_OTHER_NETWORK, _UNTIMED = HOSTNAME_CODES["other_network"], HOSTNAME_CODES["untimed"]


def accepted_in_pool(flows: pa.RecordBatch, local_in_pool: Bool) -> Bool:
    """Which flows came in to an address of the pool space: there the local endpoint is the server."""
    if not local_in_pool.any():
        return local_in_pool
    return opened_and_accepted(flows, "local")[1] & local_in_pool


def _elsewhere(flows: pa.RecordBatch, server: Side) -> Bool:
    """Whether the server is another end than the wire shows."""
    if server == "local" or not shows_remote_wire(flows):
        return np.zeros(flows.num_rows, np.bool_)
    found: Bool = flows.column("remote_wire_address").is_valid().to_numpy(zero_copy_only=False)
    return found


@lru_cache(maxsize=4)
def _untold(rows: int) -> Mapping[str, pa.Array]:
    """The columns about names where nothing is known of any name; kept, because most batches have one size."""
    return {
        "hostname_reason": pa.DictionaryArray.from_arrays(pa.array(np.full(rows, _UNTOLD)), _REASONS),
        "hostname_count": pa.array(np.zeros(rows, np.int32)),
        "hostname_candidates": nothing(rows),
    }


class Hostnames:
    """Names the servers of flows, by "Names" in `docs/design.md`; immutable."""

    def __init__(self, bindings: pa.Table, settings: Settings) -> None:
        """Index a canonical table of `schemas/name_binding.avsc`."""
        self._settings = settings
        self._names = NameIndex(bindings, settings)
        self._complete = PrefixTable.of_prefixes(settings.named_prefixes)

    def columns(
        self, flows: pa.RecordBatch, server: Side, asked: Bool, in_pool: Bool, closed: Bool, question: Question
    ) -> dict[str, Column]:
        """The columns with the name of one side, and why; nulls for flows that are not asked.

        Args:
            flows: record batch.
            server: the side that is named.
            asked: the flows whose server that side is.
            in_pool: whether its address lies in the pool space.
            closed: whether networks leave open who holds its address: then only a recorded name counts.
            question: what the flows ask.
        """
        given = flows.column("hostname")
        if (
            not (self._names or closed.any() or question.untimed.any())
            and given.null_count == len(given)
            and asked.all()
        ):
            return {f"{server}_hostname": nothing(len(given)), **_untold(len(given))}
        recorded = given.is_valid().to_numpy(zero_copy_only=False)
        untimed = question.untimed & ~recorded
        # Names are asked where the client was sent; the end that the wire shows is somewhere else.
        elsewhere = _elsewhere(flows, server)
        candidates = Candidates.united([], flows.num_rows)
        closed = closed & asked & ~recorded
        if self._names:
            rows = np.flatnonzero(asked & ~recorded & ~closed & ~untimed & ~elsewhere)
            candidates, shut = self._candidates(flows, server, rows, question)
            closed[shut] = True
        reason = self._reasons(flows, server, candidates, recorded, in_pool)
        reason[closed] = _OTHER_NETWORK
        reason[untimed] = _UNTIMED
        count = np.where(recorded, np.int32(1), candidates.count)
        name = np.where(reason == _TOLD, candidates.only, NONE)
        unasked = None if asked.all() else ~asked
        return {
            f"{server}_hostname": self._hostname(given, name, asked),
            "hostname_reason": pa.DictionaryArray.from_arrays(pa.array(reason, mask=unasked), _REASONS),
            "hostname_count": pa.array(count, mask=unasked),
            "hostname_candidates": self._listed(candidates, (reason == _SEVERAL) | (reason == _INCOMPLETE)),
        }

    def _reasons(
        self, flows: pa.RecordBatch, server: Side, candidates: Candidates, recorded: Bool, in_pool: Bool
    ) -> Int32:
        """The code of the reason of each flow (`reasons.HOSTNAME_CODES`)."""
        told = ~recorded & (candidates.only >= 0)
        unsure = np.flatnonzero(told & in_pool)
        incomplete = np.zeros(len(recorded), np.bool_)
        if len(unsure):
            client = flows.column(f"{OTHER_SIDE[server]}_address").take(pa.array(unsure))
            incomplete[unsure] = ~self._complete.contains(client)
        otherwise = np.where(candidates.count == 0, _UNTOLD, _SEVERAL)
        return np.select([recorded, incomplete, told], [_RECORDED, _INCOMPLETE, _TOLD], otherwise)

    def _candidates(
        self, flows: pa.RecordBatch, server: Side, rows: Int64, question: Question
    ) -> tuple[Candidates, Int64]:
        """The candidates of these rows; and those of the rows that networks leave open."""
        size = flows.num_rows
        client, asked = self._client_and_server(flows, server)
        if len(rows) == size:
            return self._names.ask(client, asked, question.connection, question.a, question.b)
        part = question.take(rows)
        found, shut = self._names.ask(client.take(pa.array(rows)), asked.take(rows), part.connection, part.a, part.b)
        count = np.zeros(size, np.int32)
        count[rows] = found.count
        return Candidates(count, rows[found.row], found.name), rows[shut]

    def _client_and_server(self, flows: pa.RecordBatch, server: Side) -> tuple[Texts, AskedPlaces]:
        """Addresses of the clients; addresses of the servers, in the networks of the clients."""
        client = AskedPlaces.of(flows, OTHER_SIDE[server], self._settings)
        address = flows.column(f"{server}_address")
        return client.address, replace(client, address=address, routed_by=client.address)

    def _hostname(self, given: Column, name: Int32, asked: Bool) -> Column:
        # Plain text: a batch has few of many names, and a dictionary of its own.
        told = pc.take(self._names.hostnames, pa.array(name, mask=name < 0))
        if given.null_count == len(given):
            return told
        found = pc.coalesce(given.cast(pa.string()), told.cast(pa.string())) if self._names else given
        return found if asked.all() else pc.if_else(pa.array(asked), found.cast(pa.string()), None)

    def _listed(self, candidates: Candidates, wanted: Bool) -> pa.DictionaryArray:
        """The candidates of each wanted row as one text; null where they are not listed."""
        mine = wanted[candidates.row]
        row, used, number = candidates.row[mine], *np.unique(candidates.name[mine], return_inverse=True)
        texts = self._names.hostnames.take(pa.array(used))
        rank = np.empty(len(used), np.int64)
        rank[pc.sort_indices(texts).to_numpy()] = np.arange(len(used))
        in_order = order_by(row, rank[number])
        row, number = row[in_order], number[in_order]
        rows, first = np.unique(row, return_index=True)
        lists = pa.ListArray.from_arrays(np.append(first, len(row)).astype(np.int32), texts.take(pa.array(number)))
        return pc.binary_join(lists, " ").dictionary_encode().take(spread(rows, len(wanted)))
