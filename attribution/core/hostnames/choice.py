"""The hostname of a flow: what the record carries, else what the client was told, if that leaves one name."""

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import is_value, order_by, spread
from attribution.core.columnar.interval_index import Candidates
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.fallback.pools import nothing
from attribution.core.hostnames.bindings import NameIndex
from attribution.core.question import Question
from attribution.core.reasons import HOSTNAME_REASONS

_REASONS = pa.array(HOSTNAME_REASONS)
_RECORDED, _TOLD, _SEVERAL, _INCOMPLETE, _UNTOLD = (
    list(HOSTNAME_REASONS).index(name) for name in ("recorded", "told", "several", "incomplete", "untold")
)
_INGRESS = pa.scalar("ingress")
_OTHER = {"local": "remote", "remote": "local"}


def accepted(flows: Any, local_in_pool: Bool) -> Bool:
    """Which flows came in to an address of the pool space: there the local endpoint is the server."""
    if not local_in_pool.any():
        return local_in_pool
    came_in: Bool = is_value(flows.column("direction"), _INGRESS).to_numpy(zero_copy_only=False)
    return came_in & local_in_pool


@lru_cache(maxsize=4)
def _untold(rows: int) -> dict[str, Any]:
    """What there is to say about names where nothing is known of any; kept, because most batches have one size."""
    return {
        "hostname_reason": pa.DictionaryArray.from_arrays(pa.array(np.full(rows, _UNTOLD, np.int32)), _REASONS),
        "hostname_count": pa.array(np.zeros(rows, np.int32)),
        "hostname_candidates": nothing(rows),
    }


class Hostnames:
    """Names the servers of flows, by "Names" in `docs/design.md`; immutable."""

    def __init__(self, bindings: Any, settings: Settings) -> None:
        """Digest a canonical table of `schemas/name_binding.avsc`."""
        self._names = NameIndex(bindings, settings)
        self._complete = PrefixTable.of_prefixes(settings.named_prefixes)

    def columns(self, flows: Any, server: str, asked: Bool, in_pool: Bool, question: Question) -> dict[str, Any]:
        """The name of one side, and what there is to say about it; nulls for flows that are not asked.

        Args:
            flows: record batch.
            server: the side that is named, `local` or `remote`.
            asked: the flows whose server that side is.
            in_pool: whether its address lies in the pool space.
            question: what the flows ask.
        """
        given = flows.column("hostname")
        if not self._names and given.null_count == len(given) and asked.all():
            return {f"{server}_hostname": nothing(len(given)), **_untold(len(given))}
        recorded = given.is_valid().to_numpy(zero_copy_only=False)
        candidates = Candidates.united([], flows.num_rows)
        if self._names:
            candidates = self._told(flows, server, np.flatnonzero(asked & ~recorded), question)
        reason = np.where(candidates.count == 0, _UNTOLD, np.where(candidates.only >= 0, _TOLD, _SEVERAL))
        unsure = np.flatnonzero((reason == _TOLD) & in_pool)
        if len(unsure):
            client = flows.column(f"{_OTHER[server]}_address").take(pa.array(unsure))
            reason[unsure[~self._complete.contains(client)]] = _INCOMPLETE
        reason[recorded] = _RECORDED
        count = np.where(recorded, np.int32(1), candidates.count)
        unasked = None if asked.all() else ~asked
        return {
            f"{server}_hostname": self._hostname(
                given, np.where(reason == _TOLD, candidates.only, np.int32(-1)), asked
            ),
            "hostname_reason": pa.DictionaryArray.from_arrays(
                pa.array(reason.astype(np.int32), mask=unasked), _REASONS
            ),
            "hostname_count": pa.array(count, mask=unasked),
            "hostname_candidates": self._listed(candidates, (reason == _SEVERAL) | (reason == _INCOMPLETE)),
        }

    def _told(self, flows: Any, server: str, rows: Int64, question: Question) -> Candidates:
        """The candidates of some of the flows."""
        size = flows.num_rows
        client, address = (flows.column(f"{side}_address") for side in (_OTHER[server], server))
        if len(rows) == size:
            return self._names.ask(client, address, question.connection, question.a, question.b)
        taken, part = pa.array(rows), question.take(rows)
        found = self._names.ask(client.take(taken), address.take(taken), part.connection, part.a, part.b)
        count = np.zeros(size, np.int32)
        count[rows] = found.count
        return Candidates(count, rows[found.row], found.name)

    def _hostname(self, given: Any, name: Int32, asked: Bool) -> Any:
        # Text: of many names a batch has few, and each its own.
        told = pc.take(self._names.hostnames, pa.array(name, mask=name < 0))
        if given.null_count == len(given):
            return told
        found = pc.coalesce(given.cast(pa.string()), told.cast(pa.string())) if self._names else given
        return found if asked.all() else pc.if_else(pa.array(asked), found.cast(pa.string()), None)

    def _listed(self, candidates: Candidates, wanted: Bool) -> Any:
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
