"""Verbs of the command line, run in this process."""

import csv
import importlib
import io

from click.testing import CliRunner


def run(verb, *arguments):
    command = importlib.import_module(f"attribution.cli.{verb}").command
    # As the whole command line has it: a command keeps the help option that it was first asked for.
    return CliRunner().invoke(command, [str(argument) for argument in arguments], help_option_names=["-h", "--help"])


def ok(verb, *arguments):
    result = run(verb, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))
