"""How many addresses of flows have evidence, and in which networks the evidence of the others is."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.hashing import hash_rows
from attribution.core.columnar.types import UInt64
from attribution.inspection.distinct import DistinctRows
from attribution.inspection.evidence_facts import EvidenceFacts

#: Prefixes of private addresses, where a workload is more likely than an endpoint outside.
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


@dataclass(frozen=True)
class Coverage:
    """The addresses on one side of flows, and what evidence there is about them, whenever it was.

    Attributes:
        addresses: how many, each counted in each of its networks.
        flows: how many flows have one of them on this side.
        with_evidence, flows_with_evidence: those of which evidence of their network may name the owner, or of which a
            prefix is known.
        private_without: private addresses without evidence in any network.
        public_without: other addresses without evidence in any network.
        elsewhere: pair of the flow's network and the evidence's network -> addresses that have evidence in the latter
            only; None is no network.
        about: whether addresses were so many that numbers are estimates.
    """

    addresses: int
    flows: int
    with_evidence: int
    flows_with_evidence: int
    private_without: int
    public_without: int
    elsewhere: Counter[tuple[str | None, str | None]]
    about: bool


def coverage(asked: DistinctRows, evidence: EvidenceFacts) -> Coverage:
    """The coverage of one side.

    Args:
        asked: columns `address` and `network`, as flows ask for them.
        evidence: all of it.
    """
    scale = max(asked.scale, evidence.scale)
    places, known = asked.table(scale), evidence.places(scale)
    held = np.isin(_hashes(places), _hashes(known)) | evidence.prefixes().contains(places.column("address"))
    rows = places.column("rows").to_numpy()
    others = places.filter(pa.array(~held)).select(["address", "network"])
    pairs = others.join(known.rename_columns(["address", "there"]), "address", join_type="inner", use_threads=False)
    found = np.isin(hash_rows({"address": others.column("address")}), hash_rows({"address": known.column("address")}))
    nowhere = others.filter(pa.array(~found)).column("address")
    private = int(np.count_nonzero(PrefixTable.of_prefixes(_PRIVATE).contains(nowhere)))
    elsewhere = Counter(zip(pairs.column("network").to_pylist(), pairs.column("there").to_pylist(), strict=True))
    return Coverage(
        addresses=len(held) * scale,
        flows=int(rows.sum()) * scale,
        with_evidence=int(held.sum()) * scale,
        flows_with_evidence=int(rows[held].sum()) * scale,
        private_without=private * scale,
        public_without=(len(nowhere) - private) * scale,
        elsewhere=Counter({pair: count * scale for pair, count in elsewhere.items()}),
        about=scale > 1,
    )


def _hashes(places: pa.Table) -> UInt64:
    return hash_rows({name: places.column(name) for name in ("address", "network")})
