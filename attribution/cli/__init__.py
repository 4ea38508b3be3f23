"""The command line: `attribution VERB`. Each verb is one library call in a module of its own."""

import importlib
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from attribution import __version__
from attribution.cli import statuses
from attribution.cli.options.group import SuggestingGroup, prepared
from attribution.cli.render.terminal import complain, complain_of_usage, keep_descriptors, reader_may_leave, say
from attribution.cli.stopping import Stopping
from attribution.errors import AttributionError

#: The verbs, in the order of `attribution --help`, which is the order in which one uses them.
VERBS = {
    "inspect": "Say what logs hold, what is missing for attribution, and how to attribute them.",
    "replay": "Attribute flow logs and write the result as a Parquet lake.",
    "graph": "Show who talks to whom: services, edges, traffic; or compare two windows.",
    "talkers": "Show the largest services, workloads, addresses, ports or edges.",
    "whois": "Show who held an address, and when.",
    "explain": "Show why a flow or an edge was attributed as it was.",
    "agility": "Show what addressing by policy does: load, stray and stale traffic, attacked names.",
    "simulate": "Make a fleet with flows, heartbeats and the truth.",
    "evaluate": "Compare a lake with the truth, and with event-based attribution.",
    "lab": "Play addressing by policy with real DNS, TLS and HTTP on loopback.",
    "config": "Show every setting with its value and where it comes from, and check them.",
    "completion": "Print the script by which a shell completes verbs, options and values.",
    "topics": "Create and check the Kafka topics of the streaming job.",
    "publish": "Send logs to the Kafka topics of the streaming job.",
    "lake": "Write what the streaming job attributes to a Parquet lake.",
    "forward": "Send what the streaming job says to another region on to that one.",
}


class _Verbs(SuggestingGroup):
    """Imports a verb's module when the verb is used: `attribution --help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def make_context(self, *args: Any, **given: Any) -> click.Context:  # noqa: ANN401 - click's signature
        with reader_may_leave():
            return super().make_context(*args, **given)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        with reader_may_leave():
            return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"attribution.cli.{cmd_name}").command
        return prepared(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs that begin so, without their modules."""
        verbs = [CompletionItem(name, help=text) for name, text in VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="attribution")
def cli() -> None:
    r"""Which workload was on the other end of each network flow, at that moment?

    \b
    Examples:
      attribution replay --flows logs/ --heartbeats beats.parquet --out lake
      attribution graph lake
      attribution whois lake 10.0.0.7 --at 2026-01-05T12:00:00Z
      attribution simulate --scenario gateway --out fleet
    """


cli = prepared(cli)


def main() -> None:
    """Run the command line: a wrong command and errors of the package are said without a traceback.

    The exit statuses are those of `attribution.cli.statuses`.
    """
    stopping = Stopping()
    stopping.listen()
    try:
        status = run()
    except BaseException:
        if stopping.status is None:
            raise
        say("attribution: stopped")
    if stopping.status is not None:
        stopping.end()
    sys.exit(status)


def run() -> int:
    """Run the command that the arguments of the process are; its exit status."""
    keep_descriptors()
    try:
        return cli.main(standalone_mode=False) or statuses.DONE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else statuses.DONE
    except click.ClickException as error:
        complain_of_usage(error)
        return error.exit_code
    except AttributionError as error:
        complain(error)
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        say(f"attribution: cannot go on: {place}{error.strerror or error}")
    return statuses.FAILED
