"""Standard input, output and error, which may be closed, full, or use another encoding than the data."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from crawler.printable import printable, printable_line

try:
    import fcntl
except ImportError:  # not on every system
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "discard_output",
    "discard_unwritten_errors",
    "open_closed_streams",
    "output_is_open",
    "printable_terminal",
    "show",
    "write",
]


class PrintableStream:
    """A stream to a terminal, without control characters."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text without control characters."""
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
    return fcntl is None or fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def show(lines: Iterable[str]) -> None:
    """Write lines to standard output, without control characters."""
    sys.stdout.write("".join(f"{printable_line(line)}\n" for line in lines))


def write(text: str) -> None:
    """Write JSON or URLs for other programs to standard output, as UTF-8 whatever the encoding of the terminal.

    Control characters are written as escapes, which change no value of JSON.
    """
    sys.stdout.buffer.write(printable(text).encode())


@contextmanager
def printable_terminal() -> Iterator[None]:
    """Write standard output and error without control characters, where they are a terminal."""
    with ExitStack() as stack:
        if sys.stdout.isatty():
            stack.enter_context(redirect_stdout(cast("TextIO", PrintableStream(sys.stdout))))
        if sys.stderr.isatty():
            stack.enter_context(redirect_stderr(cast("TextIO", PrintableStream(sys.stderr))))
        yield


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
