"""Standard input, output and error, which may be closed, full, or of another encoding than the data."""

from __future__ import annotations

import fcntl
import io
import os
import sys
from contextlib import suppress

__all__ = ["discard_output", "discard_unwritten_errors", "open_closed_streams", "output_is_open", "write"]


def open_closed_streams() -> None:
    """Open the standard streams that are closed, so that no file or connection takes their numbers (POSIX, `exec`).

    A closed standard output is opened for reading only, so that writing to it is an error instead of a silent loss.
    """
    modes = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}
    for number, mode in modes.items():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def output_is_open() -> bool:
    """Return whether there is a standard output to write to."""
    return fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def write(text: str) -> None:
    """Write data for other programs to standard output, as UTF-8 whatever the encoding of the terminal."""
    sys.stdout.buffer.write(text.encode())


def discard_output() -> None:
    """Discard everything written to standard output from now on, and what Python would flush at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def discard_unwritten_errors() -> None:
    """Discard what cannot be written to standard error; Python would retry at exit, and change the exit code to 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
