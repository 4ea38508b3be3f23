"""The pool space: addresses that policies hand out for any name, so that they are no workload's."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.addresses import pack
from attribution.core.addressing.candidates import CandidateNetworks
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.types import Bool, Int64, Texts
from attribution.core.fallback.policies import PolicyAnswers, PolicyIndex
from attribution.core.question import Question, Side

_NO_TEXT = pa.array([], pa.string())


class PoolSpace:
    """Which addresses lie in the pool space, and what policies say of them."""

    def __init__(self, policies: pa.Table, settings: Settings) -> None:
        """Index a canonical table of `schemas/policy.avsc`."""
        self._prefixes = PrefixTable.of_prefixes(settings.pool_prefixes)
        self._policies = PolicyIndex(policies)
        self._networks = CandidateNetworks(settings, pc.unique(policies.column("network")).drop_null().to_pylist())

    def __bool__(self) -> bool:
        """Whether there is any such address."""
        return bool(self._prefixes)

    def contains(self, address: Texts) -> Bool:
        """Whether each address lies in the pool space."""
        return self._prefixes.contains(address)

    def ask(self, flows: pa.RecordBatch, side: Side, asked: AskedPlaces, question: Question) -> "PoolAnswers":
        """What policies say of the addresses of one side of a batch of flows.

        Args:
            flows: record batch.
            side: the side.
            asked: the addresses of that side, and what is known of their networks.
            question: the asked intervals.
        """
        size = flows.num_rows
        if not self:
            return PoolAnswers(side, np.zeros(size, np.bool_), None)
        high, low = pack(asked.address)
        inside = self._prefixes.match_packed(high, low) >= 0
        rows = np.flatnonzero(inside)
        taken = pa.array(rows)
        place = tuple(flows.column(name).take(taken) for name in ("data_centre", "region"))
        network = self._networks.sure(asked.take(rows))
        found = self._policies.ask((high[rows], low[rows]), (*place, network), question.take(rows))
        return PoolAnswers(side, inside, found)


@dataclass(frozen=True)
class PoolAnswers:
    """What policies say of the addresses of one side of a batch of flows.

    Attributes:
        side: the side.
        inside: whether each address lies in the pool space.
        found: which policies have the addresses that do, in their order; None where no address lies in the pool space.
    """

    side: Side
    inside: Bool
    found: PolicyAnswers | None

    @cached_property
    def handed_out(self) -> Bool:
        """Whether any policy ever had each address."""
        handed_out = np.zeros(len(self.inside), np.bool_)
        if self.found is not None:
            handed_out[self.inside] = self.found.number >= 0
        return handed_out

    def take(self, rows: Int64) -> "PoolAnswers":
        """The answers for these rows."""
        if self.found is None:
            return replace(self, inside=self.inside[rows])
        place = np.cumsum(self.inside) - 1
        inside = self.inside[rows]
        return replace(self, inside=inside, found=self.found.take(place[rows[inside]]))

    def columns(self) -> dict[str, pa.DictionaryArray]:
        """The columns with pool, policy and state of the side."""
        if self.found is None:
            return {name: nothing(len(self.inside)) for name in pool_columns(self.side)}
        return self.found.columns(self.side, np.flatnonzero(self.inside), len(self.inside))


def pool_columns(side: Side) -> tuple[str, str, str]:
    """The names of the columns of `PoolAnswers.columns`."""
    return f"{side}_pool", f"{side}_policy", f"{side}_policy_state"


@lru_cache(maxsize=4)
def nothing(rows: int) -> pa.DictionaryArray:
    """A text column of nulls, of the type of columns that evidence fills; kept, because most batches have one size."""
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), _NO_TEXT)
