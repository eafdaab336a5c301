"""``crawler completion``: completion of commands and options in a shell."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from cyclopts import Parameter

from crawler.cli.standard_streams import write

__all__ = ["completion", "completion_script"]

Shell: TypeAlias = Literal["bash", "zsh", "fish"]
ZSH_TEXT: Final = re.compile(r"^( +'(?:(?:\d+|\*):|\*-[^']*\]:)(?![^']*->)[^']*)(?<!:_files)' \\$", re.MULTILINE)
"""An argument, or the value of an option, that can be any text, in the script for zsh."""


def completion(shell: Annotated[Shell, Parameter(help="The shell.")], /) -> int:
    """Print a script with which a shell completes commands.

    Examples, one for each shell: eval "$(crawler completion bash)" in ~/.bashrc;
    crawler completion fish > ~/.config/fish/completions/crawler.fish;
    crawler completion zsh > _crawler, in a folder of $fpath.
    """
    write(completion_script(shell))
    return 0


def completion_script(shell: Shell) -> str:
    """Return the script of a shell. It completes files where any text is possible, such as a spider or an output.

    In zsh, the function has the name of its file.
    """
    from crawler.cli.commands import app_of  # noqa: PLC0415 - it imports this module

    script = app_of().generate_completion(prog_name="crawler", shell=shell)
    bash = script.replace("complete -F _crawler crawler", "complete -o default -F _crawler crawler")
    return ZSH_TEXT.sub(r"\1:_files' \\", bash.replace("_cyclopts_crawler", "_crawler"))
