"""`for_command_line`: replaces the names of Python arguments in messages by those of command-line options."""

from __future__ import annotations

from typing import Final

__all__ = ["for_command_line"]

OPTIONS: Final = {
    'if_exists="overwrite"': "--overwrite",
    'if_exists="append"': "--append",
    "Job(…, override=True)": "--override",
    "run it again": "run the same command again",
}
"""Python arguments that messages name, and their names on the command line."""


def for_command_line(message: str) -> str:
    """Return a message with the options of the command line in place of arguments of Python."""
    for argument, option in OPTIONS.items():
        message = message.replace(argument, option)
    return message
