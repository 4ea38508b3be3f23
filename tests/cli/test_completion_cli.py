"""Completion in a real shell, and what the wheel installs below share/: completion scripts and manual pages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import manuals
import pytest
from click.testing import CliRunner

from attribution.cli import VERBS, cli
from attribution.cli.completion import SHELLS

SHARE = Path(__file__).resolve().parents[2] / "share"


@pytest.fixture(scope="module", name="environment")
def _environment(tmp_path_factory):
    """An environment whose path has the command as an installed script."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "attribution"
    script.write_text(f"#!{sys.executable}\nfrom attribution.cli import main\nmain()\n")
    script.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(SHARE.parent)}


def completed(environment, *words):
    """What bash offers for the last of the words."""
    assignments = " ".join(f"'{word}'" for word in words)
    lines = (
        f"source '{SHARE}/bash-completion/completions/attribution'",
        f"COMP_WORDS=({assignments}); COMP_CWORD={len(words) - 1}",
        "_attribution_completion attribution 2>/dev/null",
        r'printf "%s\n" "${COMPREPLY[@]}"',
    )
    command = ["bash", "--norc", "-c", "\n".join(lines)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["gr"], {"graph"}),
        (["e"], {"explain", "evaluate"}),
        (["agility", "st"], {"stale"}),
        (["lab", ""], {"run", "load-figure"}),
        (["graph", "lake", "--form"], {"--format"}),
        (["graph", "lake", "--format", "mer"], {"mermaid"}),
        (["talkers", "lake", "--tz", "europe/berl"], {"Europe/Berlin"}),
        (["graph", "lake", "--columns", "flows,first"], {"flows,first_seen"}),
        (["completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes(environment, words, offered):
    assert set(completed(environment, "attribution", *words)) == offered


def test_verbs_are_completed_without_their_modules():
    loaded = (
        "import sys, click; from attribution.cli import VERBS, cli; "
        "assert [one.value for one in cli.shell_complete(click.Context(cli), '')] == list(VERBS); "
        "sys.exit(any(f'attribution.cli.{verb}' in sys.modules for verb in VERBS))"
    )
    subprocess.run([sys.executable, "-c", loaded], check=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_the_command_itself(shell):
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_ATTRIBUTION_COMPLETE={shell}_complete" in result.output


def test_what_the_wheel_installs_is_what_the_commands_say():
    files = {str(path.relative_to(SHARE)): path.read_text() for path in SHARE.rglob("*") if path.is_file()}
    assert files == manuals.files(), "run `make docs`"
    assert {f"man/man1/attribution-{verb}.1" for verb in VERBS} < set(files)


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_manual_pages_are_sound():
    pages = sorted((SHARE / "man/man1").iterdir())
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", SHARE / "man/man1/attribution-graph.1"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "--window FROM..TO" in shown
    assert "attribution graph lake --format dot -o graph.dot" in shown
