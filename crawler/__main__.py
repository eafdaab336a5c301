"""``python -m crawler``, and the console script ``crawler``."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line, and return the exit code."""
    gc.disable()
    try:
        from crawler.cli import main as command  # noqa: PLC0415 - imports allocate nothing that becomes garbage
    except KeyboardInterrupt:  # importing is most of the run time of a short command
        if sys.stderr is not None:
            sys.stderr.write("crawler: interrupted\n")
        return 130
    return command(on_imported=_start_collector)


def _start_collector() -> None:
    """Turn the garbage collector on. Imported objects live on, so it need not traverse them."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
