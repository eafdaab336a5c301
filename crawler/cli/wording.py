"""`for_command_line`: messages of the framework, which name arguments of Python, in terms of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["for_command_line"]

OPTIONS: Final = {
    'if_exists="overwrite"': "--overwrite",
    'if_exists="append"': "--append",
    "Job(…, override=True)": "--override",
    "run it again": "run the same command again",
}
"""What messages say in Python, and what it is called here."""


def for_command_line(message: str) -> str:
    """Return a message with the options of the command line in place of arguments of Python."""
    for argument, option in OPTIONS.items():
        message = message.replace(argument, option)
    return message
