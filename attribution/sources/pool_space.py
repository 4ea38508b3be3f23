"""The pool space: the addresses that policies may hand out, and policies that reach beyond it."""

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.types import Bool
from attribution.errors import SourceError
from attribution.schema import POLICY
from attribution.sources.mapping.given import MappingOf, not_mapped
from attribution.sources.reading import read_all
from attribution.sources.records.model import Ledger

#: A reason of `attribution.sources.records.rejects`.
OUTSIDE = "outside_pools"


class PoolPrefixes:
    """The addresses of `pool_prefixes`; immutable."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        """Join the prefixes.

        Raises:
            ValueError: a text is no prefix.
        """
        networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
        self._v4 = list(ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network)))
        self._v6 = list(ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network)))

    def __contains__(self, prefix: str) -> bool:
        """Whether all addresses of a prefix lie in it."""
        found = ipaddress.ip_network(prefix)
        if isinstance(found, ipaddress.IPv4Network):
            return any(found.subnet_of(known) for known in self._v4)
        return any(found.subnet_of(known) for known in self._v6)

    def own(self, policies: pa.RecordBatch) -> tuple[pa.RecordBatch, str]:
        """The policies of a canonical record batch whose prefixes lie in it, and what to say of the others.

        That is empty where there are none.
        """
        prefixes = policies.column("prefix").cast(pa.string()).to_pylist()
        inside: Bool = np.array([prefix in self for prefix in prefixes], np.bool_)
        if inside.all():
            return policies, ""
        found = f"{(~inside).sum()} policies, the first of {prefixes[int(np.argmin(inside))]}"
        return policies.filter(pa.array(inside)), found


def with_pools_of(
    policies: Collection[str | Path],
    settings: Settings,
    *,
    format: str | None = None,  # noqa: A002 (what the option is called everywhere)
    mapping: MappingOf = not_mapped,
) -> Settings:
    """The settings with the prefixes of the policies in these sources among the `pool_prefixes`.

    Which addresses are pools' must be known before a flow is read, so policies, which are few, are read twice. The
    second reader counts the rows that are rejected.

    Raises:
        SourceError: a source cannot be read, or cannot be read twice.
    """
    if not policies:
        return settings
    if "-" in map(str, policies):
        raise SourceError(
            "cannot read policies from standard input, because they are read twice: put them "
            "into a file, and give that with --policies"
        )
    ledger = Ledger(max_rejected_share=1)
    prefixes = (
        read_all(policies, POLICY, format=format, ledger=ledger, mapping=mapping).column("prefix").unique().to_pylist()
    )
    known = PoolPrefixes(settings.pool_prefixes)
    new = sorted({prefix for prefix in prefixes if prefix not in known})
    return replace(settings, pool_prefixes=(*settings.pool_prefixes, *new)) if new else settings
