"""The pool space: addresses that policies hand out, to any name, so that they are no workload's."""

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.addresses import pack
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.types import Bool
from attribution.core.fallback.policies import Handed, PolicyIndex
from attribution.core.question import Question

_NO_TEXT = pa.array([], pa.string())


class PoolSpace:
    """Which addresses lie in the pool space, and what policies say of them."""

    def __init__(self, policies: Any, settings: Settings) -> None:
        """Digest a canonical table of `schemas/policy.avsc`."""
        self._prefixes = PrefixTable.of_prefixes(settings.pool_prefixes)
        self._policies = PolicyIndex(policies)

    def __bool__(self) -> bool:
        """Whether there is any such address."""
        return bool(self._prefixes)

    def contains(self, address: Any) -> Bool:
        """Whether each address, Arrow text, lies in it."""
        return self._prefixes.contains(address)

    def ask(self, flows: Any, which: str, question: Question) -> "Pooled":
        """What is known of the addresses of that side of a batch of flows, `local` or `remote`."""
        size = flows.num_rows
        if not self:
            return Pooled(which, np.zeros(size, np.bool_), None)
        high, low = pack(flows.column(f"{which}_address"))
        inside = self._prefixes.match_packed(high, low) >= 0
        rows = np.flatnonzero(inside)
        place = [flows.column(name).take(pa.array(rows)) for name in ("data_centre", "region")]
        found = self._policies.ask((high[rows], low[rows]), place[0], place[1], question.take(rows))
        return Pooled(which, inside, found)


class Pooled:
    """What is known of one side of a batch of flows.

    Attributes:
        inside: whether each address lies in the pool space.
        handed: whether any policy ever had it.
    """

    def __init__(self, which: str, inside: Bool, found: Handed | None) -> None:
        self._which, self._found = which, found
        self.inside, self.handed = inside, np.zeros(len(inside), np.bool_)
        if found is not None:
            self.handed[inside] = found.number >= 0

    def columns(self) -> dict[str, Any]:
        """The columns with pool, policy and state of the side."""
        if self._found is None:
            return {name: nothing(len(self.inside)) for name in names_of(self._which)}
        return self._found.columns(self._which, np.flatnonzero(self.inside), len(self.inside))


def names_of(side: str) -> tuple[str, str, str]:
    """The columns of `Pooled.columns`."""
    return f"{side}_pool", f"{side}_policy", f"{side}_policy_state"


@lru_cache(maxsize=4)
def nothing(rows: int) -> Any:
    """A text column of nulls, as those that evidence fills are; kept, because most batches have one size."""
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), _NO_TEXT)
