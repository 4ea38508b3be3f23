"""Flows that came after evidence about their start was forgotten: no answer in the place of one from a part of it."""

from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded

_NAMES = ("local_hostname", "remote_hostname", "hostname_count", "hostname_candidates")


def too_old(attributed: Any, rows: Any, *, sides: Literal["both", "local", "remote"] = "both") -> Any:
    """The attributed batch with the masked rows unattributed for the reason `too_old`, but for what was captured."""
    columns = dict(zip(attributed.schema.names, attributed.columns, strict=True))
    for side in ("local", "remote") if sides == "both" else (sides,):
        asked = pc.and_(pa.array(rows), pc.not_equal(decoded(columns[f"{side}_method"]), "capture"))
        for name, value in (("workload", None), ("service", None), ("distance", None), ("method", "none")):
            column = decoded(columns[f"{side}_{name}"])
            columns[f"{side}_{name}"] = pc.if_else(asked, pa.scalar(value, column.type), column)
        reason = decoded(columns[f"{side}_reason"])
        columns[f"{side}_reason"] = pc.if_else(asked, "too_old", reason)
    if "hostname_reason" in columns:
        columns |= _unnamed(columns, pa.array(rows))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _unnamed(columns: dict[str, Any], rows: Any) -> dict[str, Any]:
    """The columns of a name, without it where it may rest on a part of what the client was told."""
    reason = decoded(columns["hostname_reason"])
    lost = pc.fill_null(pc.and_(rows, pc.not_equal(reason, "recorded")), False)
    names = [name for name in _NAMES if name in columns]
    nothing = {name: pc.if_else(lost, None, decoded(columns[name])) for name in names}
    return nothing | {"hostname_reason": pc.if_else(lost, "too_old", reason)}
