"""``python -m crawler``, and the console script ``crawler``."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Final

__all__ = ["main"]

INTERRUPTED: Final = 130
"""The exit code of an interrupted command."""


def main() -> int:
    """Run the command line, and return the exit code."""
    gc.disable()
    try:
        from crawler.cli import main as command  # noqa: PLC0415 - imports allocate nothing that becomes garbage
    except KeyboardInterrupt:  # importing is most of the run time of a short command
        if sys.stderr is not None:
            sys.stderr.write("crawler: interrupted\n")
        return INTERRUPTED
    code = command(on_imported=_start_collector)
    if code == INTERRUPTED:
        _end_at_next_signal()
    return code


def _start_collector() -> None:
    """Turn the garbage collector on. Imported objects live on, so it need not traverse them."""
    gc.freeze()
    gc.enable()


def _end_at_next_signal() -> None:
    """Let a signal end the process at once: from now on it only waits for threads that a plugin has started."""
    import atexit  # noqa: PLC0415 - only then
    import signal  # noqa: PLC0415

    def handle(handler: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handler)

    handle(lambda *_: os._exit(INTERRUPTED))
    atexit.register(handle, signal.SIG_IGN)  # later the interpreter removes its handlers, and a signal would kill


if __name__ == "__main__":
    sys.exit(main())
