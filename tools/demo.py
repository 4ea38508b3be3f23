"""The demo: real logs and a simulated fleet through the command line, as a user would type it.

    python tools/demo.py --out demo

Everything is written below `--out`; a second run replaces it. Each command is shown before it runs.
"""

import argparse
import json
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path("tests", "sources", "data")


class Demo:
    """Runs commands in the checkout and shows them.

    Args:
        out: folder that the demo writes to, relative to the checkout or absolute.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def run(self) -> None:
        """All of it."""
        began = time.monotonic()
        self._cluster()
        self._capture()
        self._fleet()
        self._what_is_there(time.monotonic() - began)

    def _cluster(self) -> None:
        title("1. A real cluster: flows of OpenShift, as NetObserv logged them")
        say("""A pod's own node observed it at its address; those sightings are the heartbeats. What remains open is
            open because the sample lasts ten seconds only: nothing forces an answer.""")
        logs = sorted(path.relative_to(ROOT) for path in (ROOT / SAMPLES / "netobserv").glob("*.json"))
        self._attribution("replay", "--flows", SAMPLES / "netobserv" / "*.json", "--out", self._out / "netobserv")
        self._attribution("graph", self._out / "netobserv", "--attributed-only", "--clients-by-port", "--limit", 9)
        say("""NetObserv looks the remote end of a flow up in an inventory of the cluster. Here it is attributed from
            the other records' evidence instead, and both are compared.""")
        self._python("benchmarks/netobserv_proof.py", *logs)

    def _capture(self) -> None:
        title("2. A real capture: Zeek's conn, dns, ssl and dhcp logs of one machine")
        say("""Nobody knows whose the servers are, but DNS tells by which names the machine called them.""")
        flows = [part for log in ("conn", "dns", "ssl", "dhcp") for part in ("--flows", zeek(log))]
        self._attribution("replay", *flows, "--out", self._out / "zeek")
        self._attribution("graph", self._out / "zeek", "--hostnames", "--limit", 8)
        say("""The machine itself was seen at its address when it leased it, and never again. A lease proves that
            moment and no more, so for its flows seconds later nobody is named:""")
        self._attribution("whois", self._out / "zeek", "192.168.33.10", "--at", "2013-09-15T23:45:00Z")

    def _fleet(self) -> None:
        title("3. A simulated fleet, where the truth is known")
        say("""A gateway calls 45 of 100 services while all of them are redeployed. Heartbeats come once a minute, one
            in a hundred is lost; the control plane's events come minutes late.""")
        fleet, lake = self._out / "fleet", self._out / "lake"
        for command in fleet_commands(self._out):
            self._attribution(*command)
        self._attribution("graph", lake, "--limit", 10)
        picture = self._out / "graph.mmd"
        self._attribution("graph", lake, "--attributed-only", "--limit", 25, "--format", "mermaid", "-o", picture)
        judged = ("evaluate", "--attributed", lake, "--truth", fleet / "truth.parquet")
        self._attribution(*judged, "--limit", 5)
        self._attribution(*judged, "--format", "json", "-o", self._out / "evaluation.json", quiet=True)
        found = json.loads((ROOT / self._out / "evaluation.json").read_text(encoding="utf-8"))
        say("""Side by side, for the gateway: attribution by time ranges, by the latest event received, and by events
            that were held back for ten minutes first:""")
        print("\n".join(["", *beside(found, "gateway")]), flush=True)

    def _what_is_there(self, seconds: float) -> None:
        title("What you have now")
        lake, address = self._out / "lake", busiest_address(ROOT / self._out / "lake")
        files = {
            "lake/": "the fleet's lake: attributed_flows/date=…/hour=…/*.parquet, ownership_ranges/, lake.json",
            "netobserv/, zeek/": "lakes of the real logs",
            "fleet/": "what was simulated: flows, evidence, the truth, and what an event log would have said",
            "graph.mmd": "the fleet's graph for Mermaid (GitHub, GitLab and many wikis draw it)",
            "evaluation.json": "the evaluation above, with everything that the tables leave out",
        }
        for name, meaning in files.items():
            print(f"  {f'{self._out}/{name}':<28}{meaning}")
        say("Try next, with the environment's commands on the path (source .venv/bin/activate):")
        for line in (
            f"attribution whois {lake} {address}",
            f"attribution explain {lake} --edge gateway '(unattributed: gap)'",
            f"attribution graph {lake} --window -10m.. --diff -40m..-30m --attributed-only",
            f"attribution talkers {lake} --by port",
            "attribution replay --help",
        ):
            print(f"  {line}")
        say(f"Your own logs: docs/tutorial.md. The demo took {seconds:.0f} s.")

    def _attribution(self, *arguments: object, quiet: bool = False) -> None:
        self._run(["attribution", *map(str, arguments)], [sys.executable, "-m", "attribution"], quiet=quiet)

    def _python(self, *arguments: object) -> None:
        self._run(["python", *map(str, arguments)], [sys.executable], quiet=False)

    def _run(self, shown: Sequence[str], program: Sequence[str], *, quiet: bool) -> None:
        if not quiet:
            print(f"\n$ {' '.join(map(shlex.quote, shown))}\n", flush=True)
        status = subprocess.run([*program, *shown[1:]], cwd=ROOT, check=False).returncode  # noqa: S603 - our own commands
        if status:
            sys.exit(f"demo: the command above ended with status {status}")


def fleet_commands(out: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The commands that make the fleet and its lake below that folder, without `attribution`."""
    kinds = ("flows", "heartbeats", "assignments", "name-bindings", "labels")
    inputs = [part for kind in kinds for part in (f"--{kind}", f"{out}/fleet/{kind.replace('-', '_')}.parquet")]
    return (
        ("simulate", "--scenario", "gateway", "--out", f"{out}/fleet"),
        ("replay", *inputs, "--out", f"{out}/lake"),
    )


def make_fleet(out: Path) -> None:
    """Make the fleet and its lake below that folder, and show nothing."""
    for command in fleet_commands(out):
        run = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-m", "attribution", *command], cwd=ROOT, check=False, capture_output=True, text=True
        )
        if run.returncode:
            sys.exit(f"attribution {' '.join(command)} ended with the status {run.returncode}:\n{run.stderr}")


def zeek(log: str) -> Path:
    """One log of the tab-separated capture."""
    return SAMPLES / "zeek" / f"{log}.log"


def beside(evaluation: dict[str, Any], service: str) -> list[str]:
    """What each system says of one service's dependencies, one column a system."""
    (row,) = [row for row in evaluation["clients"] if row["client"] == service]
    lines = [["", *row["systems"]], ["flows whose other end is named wrongly"], ["edges that do not exist"]]
    for counts in row["systems"].values():
        lines[1].append(f"{counts['misattributed'] / row['flows']:.1%}")
        lines[2].append(f"{counts['edges_false']} of {counts['edges_claimed']}")
    return [f"  {line[0]:<40}" + "".join(f"{cell:>18}" for cell in line[1:]) for line in lines]


def busiest_address(lake: Path) -> str:
    """The address that had most owners."""
    ranges = ds.dataset(lake / "ownership_ranges", format="parquet", partitioning="hive").to_table(columns=["address"])
    counts = pc.value_counts(ranges.column("address"))
    return str(max(counts.to_pylist(), key=lambda entry: entry["counts"])["values"])


def title(text: str) -> None:
    """A heading."""
    print(f"\n{text}\n{'=' * len(text)}", flush=True)


def say(text: str) -> None:
    """A paragraph."""
    print("\n" + textwrap.fill(" ".join(text.split()), 100), flush=True)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to")
    Demo(parser.parse_args().out).run()


if __name__ == "__main__":
    main()
