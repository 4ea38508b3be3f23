"""`attribution completion`: the script by which a shell completes verbs, options and values."""

from typing import Literal

import click
from click.shell_completion import ShellComplete, get_completion_class

Shell = Literal["bash", "zsh", "fish"]

SHELLS: tuple[Shell, ...] = ("bash", "zsh", "fish")


def script(shell: Shell) -> str:
    """What a shell reads to complete `attribution`."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"no completion for {shell}")
    # Of the base class: that of bash would start bash to ask for its version. The command itself is not in the script.
    found = kind(click.Command("attribution"), {}, "attribution", "_ATTRIBUTION_COMPLETE")
    return f"{ShellComplete.source(found).strip()}\n"


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(*, shell: Shell) -> None:
    r"""Print the script by which a shell completes verbs, options and values.

    Packages of the system may install the scripts of the wheel, which are in share/. The script asks `attribution`
    itself, so it stays the same from version to version.

    \b
    Examples:
      source <(attribution completion bash)
      attribution completion bash > ~/.local/share/bash-completion/completions/attribution
      attribution completion zsh > ~/.zfunc/_attribution
      attribution completion fish > ~/.config/fish/completions/attribution.fish
    """
    click.echo(script(shell), nl=False)
