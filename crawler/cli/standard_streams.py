"""Standard input, output and error as a program may find them: closed, full, or of another encoding than the data."""

from __future__ import annotations

import fcntl
import io
import os
import sys
from contextlib import suppress

__all__ = ["abandon", "drop_unwritten_errors", "is_open", "ready", "write"]


def ready() -> None:
    """Opens what was closed, so that no file or connection takes its number; see POSIX, exec().

    Standard output is opened for reading only: what is written there is not lost without a word.
    """
    modes = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}
    for number, mode in modes.items():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def is_open() -> bool:
    """Whether there is a standard output."""
    return fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def write(text: str) -> None:
    """Writes data for programs to standard output: UTF-8, whatever the terminal speaks."""
    sys.stdout.buffer.write(text.encode())


def abandon() -> None:
    """Nobody can be told anything more on standard output; Python would try to empty its buffer once more at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def drop_unwritten_errors() -> None:
    """Discard what standard error could not take: Python would try again at exit, and change the exit code to 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
