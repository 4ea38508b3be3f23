"""The commands that a verb prints below `Next:`, run as if a person pasted them into a shell."""

import shlex

from click.testing import CliRunner

from attribution.cli import cli


def run_pasted(output):
    """The verbs of the commands in an output, and what the last one printed; each must end with status 0."""
    _, _, below = output.partition("\nNext:\n")
    verbs, printed = [], ""
    for line in below.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        program, *words = shlex.split(line)
        assert program == "attribution"
        result = CliRunner().invoke(cli, words, catch_exceptions=False)
        assert result.exit_code == 0, (words, result.output)
        verbs.append(words[0])
        printed = result.output
    return verbs, printed
