"""Writes a run as files that a replay reads, and the truth beside them."""

import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from attribution import __version__
from attribution.config import SECOND, format_duration
from attribution.lake.staging import StagedFolder
from attribution.schema import NAME_BINDING, arrow_schema
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.resolver import STALE_TTL_S
from attribution.testbed.lab.dns.server import Binding
from attribution.testbed.lab.journal import Connection
from attribution.testbed.lab.run import SHARED_CLIENTS, SHARED_RESOLVER, Outcome
from attribution.testbed.lab.scenarios import CLIENT_SPACE, HERE, POOL_SPACE
from attribution.testbed.lab.truth import TRUTH, truth_of

#: Says that a folder is a lab's, which another run may replace.
LAB_FILE: Final = "lab.json"
FLOWS_FILE: Final = "flows.jsonl"
BINDINGS_FILE: Final = "name_bindings.jsonl"
#: The same bindings, where `attribution evaluate` looks for them beside the truth.
BINDINGS_TABLE: Final = "name_bindings.parquet"
POLICIES_FILE: Final = "policies.jsonl"
RULES_FILE: Final = "socket_rules.jsonl"
TRUTH_FILE: Final = "truth.parquet"
SETTINGS_FILE: Final = "settings.toml"

_Row = dict[str, object]

_OBSERVER: Final = f"{HERE}-edge"
_TIMES: Final = ("start", "end", "time")
_TCP: Final = 6


def write(outcome: Outcome, folder: Path, *, client_view: bool = False) -> dict[str, int]:
    """Write a run into `folder`. An earlier run there is replaced; anything else is refused.

    Args:
        outcome: The run.
        folder: Where to write; all files appear at once.
        client_view: Whether each connection is logged by its client as well, as a flow of its own.

    Returns:
        Rows of each file, by its name.

    Raises:
        LabError: The folder holds something else or cannot be written, or there is nothing to write.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / LAB_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise LabError(
            f"cannot write a run of the lab to {folder}: it holds something else; name a new or empty folder"
        )
    flows = list(_flows(outcome, client_view=client_view))
    if not flows:
        raise LabError(f"nothing to write of {outcome.scenario.name}: no connection was made; give it more time")
    try:
        with StagedFolder(folder) as staged:
            rows = _write_files(outcome, staged.path, flows)
            staged.put()
    except OSError as error:
        raise LabError(f"cannot write a run of the lab to {folder}: {error.strerror or error}") from error
    return rows


def _write_files(outcome: Outcome, folder: Path, seen: Iterable[tuple[_Row, _Row]]) -> dict[str, int]:
    flows, truth = zip(*seen, strict=True)
    bindings = [_binding(told) for told in outcome.told]
    rows = {
        FLOWS_FILE: _json_lines(folder / FLOWS_FILE, flows),
        BINDINGS_FILE: _json_lines(folder / BINDINGS_FILE, bindings),
        POLICIES_FILE: _json_lines(folder / POLICIES_FILE, (policy.to_record() for policy in outcome.policies)),
        RULES_FILE: _json_lines(folder / RULES_FILE, (rule.to_record() for rule in outcome.rules)),
        BINDINGS_TABLE: _parquet(folder / BINDINGS_TABLE, bindings, arrow_schema(NAME_BINDING)),
        TRUTH_FILE: _parquet(folder / TRUTH_FILE, truth, TRUTH),
    }
    (folder / SETTINGS_FILE).write_text(settings(outcome), encoding="utf-8")
    document = {"written_by": __version__, **summary(outcome), "rows": rows, "parameters": asdict(outcome.scenario)}
    (folder / LAB_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return rows


def settings(outcome: Outcome) -> str:
    """The settings of attribution that are right for a run, as TOML."""
    longest = round((outcome.scenario.overstay + STALE_TTL_S) * SECOND)
    tolerance = max(1, math.ceil(lateness(outcome) + 0.5))
    connections = [*outcome.journal.arrivals, *outcome.journal.departures]
    lifetime = math.ceil(max(((one.end - one.start) / SECOND for one in connections), default=0.0))
    return (
        "[attribution]\n"
        f'clock_tolerance = "{tolerance}s"\n'
        f'pool_prefixes = ["{POOL_SPACE}"]\n'
        f'named_prefixes = ["{CLIENT_SPACE}"]\n'
        f'shared_resolvers = ["{SHARED_RESOLVER}={SHARED_CLIENTS}"]\n'
        f'name_stretch = "{format_duration(longest)}"\n'
        f'connection_lifetime = "{lifetime}s"\n'
    )


def lateness(outcome: Outcome) -> float:
    """The longest time from a client opening a connection to the log of its start, in seconds.

    Servers and clients share one process. On a busy machine a connection waits until it is accepted.
    """
    begun = {(one.local, one.remote, one.hostname): one.start for one in outcome.journal.departures}
    waits = [
        one.start - begun.get((one.remote, one.local, one.hostname), one.start) for one in outcome.journal.arrivals
    ]
    return max([outcome.lag, *(wait / SECOND for wait in waits)])


def summary(outcome: Outcome) -> dict[str, object]:
    """A summary of a run: how it was played, its numbers, and the requests of a connection."""
    arrivals = outcome.journal.arrivals
    requests = sum(len(one.requested) for one in arrivals)
    return {
        "scenario": outcome.scenario.name,
        "seed": outcome.seed,
        "dispatch": outcome.how,
        "start": _text(outcome.start),
        "seconds": round((outcome.end - outcome.start) / SECOND, 3),
        "connections": len(arrivals),
        "requests": requests,
        "requests_per_connection": round(requests / len(arrivals), 3) if arrivals else None,
        "dns": dict(sorted(outcome.dns.items())),
        "failures": dict(sorted(outcome.journal.failures.items())),
        "refused": outcome.journal.refused,
        "lateness_seconds": round(lateness(outcome), 3),
    }


def _flows(outcome: Outcome, *, client_view: bool) -> Iterator[tuple[_Row, _Row]]:
    """Each flow as it is logged, and its truth, by start."""
    rng = random.Random(f"{outcome.seed} sni")  # noqa: S311 - no secret
    journal, share = outcome.journal, outcome.scenario.record_sni
    services = {(one.remote, one.local, one.hostname): one.service for one in journal.arrivals}
    edge = {"direction": "ingress", "observer": _OBSERVER, "data_centre": HERE}
    seen = [(one, one.service, edge) for one in journal.arrivals]
    if client_view:
        for one in journal.departures:
            service = services.get((one.local, one.remote, one.hostname))
            seen.append((one, service, {"direction": "egress", "observer": f"client-{one.local[0]}"}))
    for one, service, by in sorted(seen, key=lambda row: (row[0].start, row[0].remote)):
        flow = _flow(one) | by
        true = truth_of(flow, one, service, outcome.policies)
        if rng.random() < share and one.hostname is not None:
            flow["hostname"] = one.hostname
        yield flow, true


def _flow(one: Connection) -> dict[str, object]:
    return {
        "start": one.start, "end": one.end, "local_address": one.local[0], "local_port": one.local[1],
        "remote_address": one.remote[0], "remote_port": one.remote[1], "protocol": _TCP, "basis": "connection",
        "bytes_sent": one.bytes_sent, "bytes_received": one.bytes_received,
    }  # fmt: skip


def _binding(told: Binding) -> dict[str, object]:
    row = asdict(told)
    del row["policy"]  # which policy it was is for the rules to find out
    return row


def _json_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> int:
    """Write native JSON lines, with times as ISO 8601 and without nulls; returns their number."""
    lines = [
        json.dumps({k: _text(v) if k in _TIMES and isinstance(v, int) else v for k, v in row.items() if v is not None})
        for row in rows
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def _parquet(path: Path, rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> int:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
    return len(rows)


def _text(time: int) -> str:
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{time % SECOND:06d}Z"
