"""``crawler completion``: completion of commands and options in a shell."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from crawler.cli.standard_streams import write

__all__ = ["completion"]


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")], /) -> int:
    """Print a script with which a shell completes commands.

    Examples, one for each shell: eval "$(crawler completion bash)" in ~/.bashrc;
    crawler completion fish > ~/.config/fish/completions/crawler.fish;
    crawler completion zsh > _crawler, in a folder of $fpath.
    """
    from crawler.cli.app import app_of  # noqa: PLC0415 - it imports this module

    write(app_of().generate_completion(prog_name="crawler", shell=shell))
    return 0
