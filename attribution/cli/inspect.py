"""`attribution inspect`: what logs hold, what is missing, and how to attribute them."""

import sys

import click

from attribution.cli.options.inputs import paths_argument
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.inspection import as_document
from attribution.cli.render.inspection_rows import as_json, file_rows
from attribution.cli.render.output import Output, output_options
from attribution.cli.render.progress import progress_line
from attribution.inspection import inspect_logs
from attribution.sources.inputs import Inputs

#: Exit status where rows had to be left out, as that of `replay`.
ROWS_REJECTED = 3


@click.command(name="inspect")
@paths_argument
@click.option("--rows", type=click.IntRange(min=1), help="Stop after about so many records of each file.")
@timezone_option
@output_options()
def command(*, inputs: Inputs, rows: int | None, output: Output) -> None:
    r"""Say what logs hold, what is missing for attribution, and which command attributes them.

    A PATH is a file, a folder, a glob pattern, or - for standard input. Flow logs and evidence may be mixed. Everything
    is read once, and nothing is written.

    \b
    Examples:
      attribution inspect logs/
      attribution inspect flows.parquet pods.json --network pods.json=east
      zcat conn.log.gz | attribution inspect - --format json

    \b
    Exit status: 0 all rows can be used, 3 rows or files cannot,
    1 a path cannot be read, 2 the command was wrong.
    """
    with progress_line() as progress:
        report = None if progress is None else lambda count, share: progress("reading", count, share)
        found = inspect_logs(inputs, rows=rows, progress=report)
    if output.format == "json":
        output.json(as_json(found))
    elif output.format == "csv":
        output.csv(list(file_rows(found)[0]), file_rows(found))
    else:
        output.document(list(as_document(found)))
    if found.flawed:
        sys.exit(ROWS_REJECTED)
