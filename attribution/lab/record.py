"""Writes what happened as files that a replay reads, with the truth beside them."""

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from attribution import __version__
from attribution.config import SECOND, format_duration
from attribution.lab import LabError
from attribution.lab.journal import Connection
from attribution.lab.resolver import STALE_TTL_S
from attribution.lab.run import SHARED_CLIENTS, SHARED_RESOLVER, Outcome
from attribution.lab.scenarios import CLIENT_SPACE, HERE, POOL_SPACE
from attribution.schema import FLOW, arrow_schema

#: Says that a folder is a lab's, which another run may replace.
LAB_FILE: Final = "lab.json"
FLOWS_FILE: Final = "flows.jsonl"
BINDINGS_FILE: Final = "name_bindings.jsonl"
POLICIES_FILE: Final = "policies.jsonl"
RULES_FILE: Final = "socket_rules.jsonl"
TRUTH_FILE: Final = "truth.parquet"
SETTINGS_FILE: Final = "settings.toml"

#: What joins a flow to its truth, as in a simulation.
IDENTITY: Final = (
    "start", "end", "local_address", "local_port", "remote_address", "remote_port", "protocol", "observer",
)  # fmt: skip
#: `truth.parquet`: the flow's identity, the name that the connection was opened for, all that were asked for on it, and
#: the service that accepted it.
TRUTH: Final = pa.schema(
    [
        *(arrow_schema(FLOW).field(name) for name in IDENTITY),
        pa.field("hostname", pa.string()),
        pa.field("hostnames", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False),
        pa.field("service", pa.string()),
    ]
)

_OBSERVER: Final = f"{HERE}-edge"
_TIMES: Final = ("start", "end", "time")
_TCP: Final = 6


def write(outcome: Outcome, folder: Path, *, client_view: bool = False) -> dict[str, int]:
    """Write a run into `folder`; an earlier run there is replaced, anything else is refused.

    Args:
        outcome: The run.
        folder: Where; it appears all at once.
        client_view: Whether each connection is logged by its client as well, as a flow of its own.

    Returns:
        Rows of each file, by its name.

    Raises:
        LabError: The folder holds something else, or cannot be written.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / LAB_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise LabError(
            f"cannot write a run of the lab to {folder}: it holds something else; name a new or empty folder"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        rows = _write_files(outcome, partial, client_view=client_view)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise LabError(f"cannot write a run of the lab to {folder}: {error.strerror or error}") from error
    return rows


def _write_files(outcome: Outcome, folder: Path, *, client_view: bool) -> dict[str, int]:
    flows, truth = [], []
    for flow, true in _flows(outcome, client_view=client_view):
        flows.append(flow)
        truth.append(true)
    rows = {
        FLOWS_FILE: _json_lines(folder / FLOWS_FILE, flows),
        BINDINGS_FILE: _json_lines(folder / BINDINGS_FILE, map(_binding, outcome.told)),
        POLICIES_FILE: _json_lines(folder / POLICIES_FILE, (policy.to_record() for policy in outcome.policies)),
        RULES_FILE: _json_lines(folder / RULES_FILE, (rule.to_record() for rule in outcome.rules)),
        TRUTH_FILE: len(truth),
    }
    pq.write_table(pa.Table.from_pylist(truth, schema=TRUTH), folder / TRUTH_FILE, compression="zstd")
    (folder / SETTINGS_FILE).write_text(settings(outcome), encoding="utf-8")
    document = {"written_by": __version__, **summary(outcome), "rows": rows, "parameters": asdict(outcome.scenario)}
    (folder / LAB_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return rows


def settings(outcome: Outcome) -> str:
    """The settings of attribution under which a run may be judged, as TOML."""
    longest = round((outcome.scenario.overstay + STALE_TTL_S) * SECOND)
    return (
        "[attribution]\n"
        f'pool_prefixes = ["{POOL_SPACE}"]\n'
        f'named_prefixes = ["{CLIENT_SPACE}"]\n'
        f'shared_resolvers = ["{SHARED_RESOLVER}={SHARED_CLIENTS}"]\n'
        f'name_stretch = "{format_duration(longest)}"\n'
    )


def summary(outcome: Outcome) -> dict[str, Any]:
    """What a run comes to: how it was played, its numbers, and how many requests a connection carried."""
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
        "busiest_lag_seconds": round(outcome.lag, 3),
    }


def _flows(outcome: Outcome, *, client_view: bool) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each flow as it is logged, and its truth."""
    rng = random.Random(f"{outcome.seed} sni")  # noqa: S311 - no secret
    share = outcome.scenario.record_sni
    services = {(one.remote, one.local, one.hostname): one.service for one in outcome.journal.arrivals}
    for one in sorted(outcome.journal.arrivals, key=lambda one: (one.start, one.remote)):
        flow = _flow(one) | {"direction": "ingress", "observer": _OBSERVER, "data_centre": HERE}
        yield _logged(flow, one, one.service, sni=rng.random() < share)
    for one in outcome.journal.departures if client_view else ():
        flow = _flow(one) | {"direction": "egress", "observer": f"client-{one.local[0]}"}
        yield _logged(flow, one, services.get((one.local, one.remote, one.hostname)), sni=rng.random() < share)


def _flow(one: Connection) -> dict[str, Any]:
    return {
        "start": one.start, "end": one.end, "local_address": one.local[0], "local_port": one.local[1],
        "remote_address": one.remote[0], "remote_port": one.remote[1], "protocol": _TCP, "basis": "connection",
        "bytes_sent": one.bytes_sent, "bytes_received": one.bytes_received,
    }  # fmt: skip


def _logged(
    flow: dict[str, Any], one: Connection, service: str | None, *, sni: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    identity = {name: flow[name] for name in IDENTITY}
    true = identity | {"hostname": one.hostname, "hostnames": list(dict.fromkeys(one.requested)), "service": service}
    return flow | ({"hostname": one.hostname} if sni else {}), true


def _binding(told: Any) -> dict[str, Any]:
    row = asdict(told)
    del row["policy"]  # which policy it was is for the rules to find out
    return row


def _json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Native JSON lines: times ISO 8601, what is null left out."""
    lines = [json.dumps({k: _text(v) if k in _TIMES else v for k, v in row.items() if v is not None}) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def _text(time: int) -> str:
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{time % SECOND:06d}Z"
