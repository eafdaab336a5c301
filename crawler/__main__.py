"""``python -m crawler``, and the console script ``crawler``."""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["main"]


def main() -> int:
    """Runs the command that the command line names; gives its exit code."""
    _keep_standard_streams()
    gc.disable()
    try:
        from crawler.cli import main as command  # noqa: PLC0415 - imports make nothing that goes away
    except KeyboardInterrupt:  # most of what a short command takes is this
        sys.stderr.write("crawler: interrupted\n")
        return 130
    gc.freeze()  # what was imported stays: the collector need not look at it again and again
    gc.enable()
    return command()


def _keep_standard_streams() -> None:
    """A stream that is closed keeps its number: the first file of a job would get it, and what is written there."""
    while (number := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - open as long as the process is there
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123


if __name__ == "__main__":
    sys.exit(main())
