"""``python -m crawler``, and the console script ``crawler``."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> int:
    """Runs the command that the command line names; gives its exit code."""
    gc.disable()
    try:
        from crawler.cli import main as command  # noqa: PLC0415 - imports make nothing that goes away
    except KeyboardInterrupt:  # most of what a short command takes is this
        if sys.stderr is not None:
            sys.stderr.write("crawler: interrupted\n")
        return 130
    gc.freeze()  # what was imported stays: the collector need not look at it again and again
    gc.enable()
    return command()


if __name__ == "__main__":
    sys.exit(main())
