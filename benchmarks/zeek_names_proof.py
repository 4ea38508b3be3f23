"""A proof on real logs: hostnames of TLS connections from DNS alone, judged by the server names that the logs hold.

Every row of a Zeek ssl log is a connection whose client said, in the handshake, which name it was for (SNI). Here that
name is set aside, the connection is named from the dns logs alone, and then the two are compared. Of every connection
that is not named rightly it is said why. One more question shows what an answer that the log lacks would do: what if no
DNS answer for the connection's own name had been logged? It is asked with and without `pool_prefixes` for the addresses
that several names are at.

    python benchmarks/zeek_names_proof.py tests/sources/data/zeek
    python benchmarks/zeek_names_proof.py --name-stretch 0s FOLDER …
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings, parse_duration
from attribution.core.attributor import Attributor
from attribution.schema import FLOW, NAME_BINDING, arrow_schema
from attribution.sources.reading import read
from attribution.sources.records.model import Ledger
from attribution.testbed.evaluate.name_baselines import NameLog

#: What can come of a comparison, in the order in which it is printed.
OUTCOMES = {
    "right": "the one name that the client was told is the one that it asked for",
    "several": "the client was told several names for the address; that one is among them",
    "untold": "nothing that the client was told leads to the address",
    "lacking": "the client was told several names for the address, but not that one",
    "wrong": "the one name that the client was told is another one",
    "no server name": "the handshake says no name to judge by",
}
_SECOND = 1_000_000
_TCP = 6


@dataclass(frozen=True)
class Compared:
    """One TLS connection, by both witnesses.

    Attributes:
        connection: `uid`, `client`, `server`, `ts` in microseconds, and the `server_name` that was said, or None.
        named: the attributed flow, from DNS alone.
        answers: the DNS answers of the logs, to whomever, that have that server name.
    """

    connection: dict[str, Any]
    named: dict[str, Any]
    answers: list[dict[str, Any]]

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        said, reason = self.connection["server_name"], self.named["hostname_reason"]
        if said is None:
            return "no server name"
        if reason == "told":
            return "right" if self.named["remote_hostname"] == said else "wrong"
        if reason == "untold":
            return "untold"
        listed = self.named["hostname_candidates"]
        return "several" if listed is None or said in listed.split() else "lacking"

    @property
    def why(self) -> str:
        """Where DNS does not lead to the server name, what of it is in the logs."""
        mine = [one for one in self.answers if one["client_address"] == self.connection["client"]]
        here = [one for one in mine if one["server_address"] == self.connection["server"]]
        if here:
            return "told, but not in time for the connection"
        if mine:
            return "told at other addresses only: an answer before the capture, or of another resolver"
        if self.answers:
            return "told to other clients only: a resolver that they share"
        return "never told in these logs: kept from before the capture, or resolved where no sensor sees it"


def compare(paths: Iterable[Path], settings: Settings | None = None) -> list[Compared]:
    """Every TLS connection of the logs below the paths, named from their DNS answers, and by its own server name."""
    files = _logs(paths)
    connections = [row for file in files for row in _handshakes(file)]
    if not connections:
        sys.exit("there is no TLS connection in these logs; name a folder with an ssl log and a dns log of Zeek")
    bindings = _bindings(files)
    return _compared(connections, bindings, settings or Settings())


def _compared(connections: list[dict[str, Any]], bindings: Any, settings: Settings) -> list[Compared]:
    attributor = Attributor(settings)
    attributor.observe(NAME_BINDING, bindings)
    rows = attributor.attribute(_flows(connections)).to_pylist()
    told: dict[str, list[dict[str, Any]]] = {}
    for one in bindings.to_pylist():
        told.setdefault(one["hostname"], []).append(one)
    return [
        Compared(connection, row, told.get(connection["server_name"], []))
        for connection, row in zip(connections, rows, strict=True)
    ]


def without_own_answers(found: list[Compared], paths: Iterable[Path], settings: Settings) -> list[Compared]:
    """Each connection once more, as if no answer for its own server name were in the logs."""
    files = _logs(paths)
    bindings = _bindings(files)
    again = []
    for name in sorted({one.connection["server_name"] for one in found if one.connection["server_name"]}):
        mine = [one.connection for one in found if one.connection["server_name"] == name]
        again += _compared(mine, bindings.filter(pc.not_equal(bindings.column("hostname"), name)), settings)
    return again


def last_told(found: list[Compared], paths: Iterable[Path]) -> int:
    """How many connections the last name that their client was told for the address names wrongly."""
    files = _logs(paths)
    connections = [one.connection for one in found if one.connection["server_name"]]
    client, server = (pa.array([one[side] for one in connections], pa.string()) for side in ("client", "server"))
    moment = np.array([one["ts"] for one in connections])
    said = NameLog(_bindings(files)).last_for_client(client, server, moment).to_pylist()
    pairs = zip(said, connections, strict=True)
    return sum(name is not None and name != connection["server_name"] for name, connection in pairs)


def shared_addresses(found: list[Compared]) -> list[str]:
    """The servers that connections for several names went to, as prefixes."""
    names: dict[str, set[str]] = {}
    for one in found:
        names.setdefault(one.connection["server"], set()).add(one.connection["server_name"])
    return sorted(f"{server}/{128 if ':' in server else 32}" for server, those in names.items() if len(those) > 1)


def _logs(paths: Iterable[Path]) -> list[Path]:
    return sorted({file for path in paths for file in ([path] if path.is_file() else path.glob("*.log"))})


def _bindings(files: Iterable[Path]) -> Any:
    batches = [found.batch for found in read(files, ledger=Ledger(), format="zeek") if found.kind == NAME_BINDING]
    schema = arrow_schema(NAME_BINDING)
    return pa.concat_tables([schema.empty_table(), *(pa.Table.from_batches([one]).cast(schema) for one in batches)])


def _handshakes(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an ssl log, JSON or tab-separated; nothing of another log."""
    names: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#fields\t"):
            names = line.split("\t")[1:]
        if line.startswith("#"):
            continue
        row = json.loads(line) if line.startswith("{") else dict(zip(names, line.split("\t"), strict=False))
        if "server_name" not in row and "cipher" not in row:
            return
        said = row.get("server_name", "-")
        yield {
            "uid": row["uid"],
            "client": row["id.orig_h"],
            "client_port": int(row["id.orig_p"]),
            "server": row["id.resp_h"],
            "server_port": int(row["id.resp_p"]),
            "ts": round(float(row["ts"]) * _SECOND),
            "server_name": None if said in {"-", ""} else said.lower(),
        }


def _flows(connections: list[dict[str, Any]]) -> Any:
    rows = [
        {
            "start": one["ts"],
            "end": one["ts"],
            "local_address": one["client"],
            "local_port": one["client_port"],
            "remote_address": one["server"],
            "remote_port": one["server_port"],
            "protocol": _TCP,
            "direction": "egress",
            "basis": "connection",
        }
        for one in connections
    ]
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schema(FLOW))


def report(found: list[Compared], lost: list[Compared], pooled: list[Compared]) -> Iterator[str]:
    """The comparison as lines of text."""
    counts = Counter(one.outcome for one in found)
    judged = len(found) - counts["no server name"]
    yield f"{len(found)} TLS connections, {judged} of them with a server name to judge by:"
    for outcome, meaning in OUTCOMES.items():
        yield f"{outcome:<16}{counts[outcome]:>6}   {meaning}"
    yield f"named {counts['right'] + counts['wrong']} of {judged}, wrongly {counts['wrong']}"
    unnamed = Counter(one.named["hostname_reason"] for one in found if one.outcome == "no server name")
    if unnamed:
        listed = ", ".join(f"{reason} {count}" for reason, count in unnamed.most_common())
        yield f"what DNS says of those without a server name: {listed}"
    for one in found:
        if one.outcome in {"wrong", "lacking", "untold"}:
            yield _line(one) + f": {one.why}"
        elif one.outcome == "several":
            yield _line(one) + f": told {one.named['hostname_candidates']}"
    for what, those in (("", lost), (", the addresses that several names are at in pool_prefixes", pooled)):
        again = Counter(one.outcome for one in those)
        yield f"had no answer for the connection's own name been logged{what}: {again['wrong']} of {judged} wrong"
        yield from (_line(one) + f": named {one.named['remote_hostname']}" for one in those if one.outcome == "wrong")


def _line(one: Compared) -> str:
    connection = one.connection
    return f"  {connection['uid']} to {connection['server']}, {connection['server_name']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("paths", nargs="+", type=Path, help="folders with logs, or log files")
    parser.add_argument("--name-stretch", default="1m", metavar="DURATION")
    given = parser.parse_args()
    settings = Settings(name_stretch=parse_duration(given.name_stretch))
    found = compare(given.paths, settings)
    lost = without_own_answers(found, given.paths, settings)
    in_pools = replace(settings, pool_prefixes=tuple(shared_addresses(found)))
    print("\n".join(report(found, lost, without_own_answers(found, given.paths, in_pools))))
    print(f"named wrongly by the last name told to the client for the address: {last_told(found, given.paths)}")
    sys.exit(1 if any(one.outcome in {"wrong", "lacking"} for one in found) else 0)


if __name__ == "__main__":
    main()
