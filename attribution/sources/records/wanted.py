"""What a log should hold for attribution: fields and records that a format asks for, and how a person gets them.

A format declares them beside its reader (`Format.wants`). Reading counts what is there. What never is, is missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from attribution.schema import FLOW

#: How often each of these was there: a kind of record (`flow`), a field of it (`flow.direction`), a reason for which
#: rows were skipped or rejected, or a name that the format gave to `Account.shows`.
Shown = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A field or a kind of row that attribution wants of a log.

    Attributes:
        name: as the log itself, or the tool that writes it, spells it.
        told_by: what shows that it is there: one of these names of `Shown` suffices. If there is none, it never is.
        among: the name of `Shown` without which nobody misses it.
        without: what is lost without it; a clause.
        get: how to get it; sentences. What is got in one way is shown together.
        elsewhere: whether it may stand in another file of the format than what it is missed for.
        needed: whether attribution by this log names hardly anybody without it.
    """

    name: str
    told_by: tuple[str, ...]
    without: str
    get: str
    among: str = FLOW
    elsewhere: bool = False
    needed: bool = False


def missing(wants: Sequence[Wanted], shown: Shown) -> list[Wanted]:
    """What of `wants` was not there, what is needed before what is not.

    >>> vpc_id = Wanted(name="vpc-id", told_by=("flow.local_network",), without="VPCs are one", get="Ask for it.")
    >>> [missing([vpc_id], shown) != [] for shown in ({}, {"flow": 9}, {"flow": 9, "flow.local_network": 1})]
    [False, True, False]
    """
    found = [one for one in wants if shown.get(one.among) and not any(shown.get(name) for name in one.told_by)]
    return sorted(found, key=lambda one: not one.needed)


def fields_shown(kind: str, batch: pa.RecordBatch, wants: Sequence[Wanted]) -> Counter[str]:
    """The fields of a canonical batch that `wants` ask about, each with how many rows have a value in it."""
    asked = {name for one in wants for name in one.told_by}
    found: Counter[str] = Counter()
    for field in batch.schema:
        name = f"{kind}.{field.name}"
        if name in asked:
            found[name] = batch.num_rows - batch.column(field.name).null_count
    return found
