"""``python -m crawler``, and the console script ``crawler``."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["main"]

COMMAND_LINE: Final = "httpx._main"
"""The module with the command line of httpx. If click is installed, it imports rich and pygments: 0.03 CPU-seconds."""
INTERRUPTED: Final = 130
"""The exit code of an interrupted command."""
DEPENDENCIES: Final = frozenset(
    {
        "ada_url", "attr", "attrs", "brotli", "certifi", "h11", "httpx", "msgspec", "publicsuffixlist", "pycurl",
        "rich", "trio", "trio_util", "turbohtml",
    }
)  # fmt: skip
"""The modules of the packages that are installed with this one."""


def main() -> int:
    """Run the command line, and return the exit code."""
    if sys.platform == "win32":
        _say("Windows is not supported: use WSL, the Windows Subsystem for Linux")
        return 2
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _interrupt_again
    gc.disable()  # imports allocate nothing that becomes garbage
    sys.modules.setdefault(COMMAND_LINE, None)  # type: ignore[arg-type]  # httpx does without it
    try:
        from crawler.cli import main as command  # noqa: PLC0415 - see above

        code = command(on_imported=_begin)
    except KeyboardInterrupt:  # importing is most of the run time of a short command
        _say("interrupted")
        return INTERRUPTED
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in DEPENDENCIES:
            raise
        _say(_missing(error))
        return 2
    if code == INTERRUPTED:
        _end_at_next_signal()
    return code


def _say(message: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"crawler: {message}\n")


def _missing(error: ImportError) -> str:
    """Return what to do if a dependency cannot be imported: usually, this is the Python of another environment."""
    module = (error.name or "").partition(".")[0]
    why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
    own = Path(".venv/bin/python")
    other = f"run {own} -m crawler instead" if own.exists() and not _is_running(own) else "activate its environment"
    return f"{module} {why} for {sys.executable}: {other}, or install the package: pip install . in a clone of it"


def _is_running(python: Path) -> bool:
    """Return whether a Python of an environment is the one that runs."""
    return Path(sys.prefix).resolve() == python.parent.parent.resolve()


def _begin() -> None:
    """Undo what was done for the imports. Imported objects live on, so the garbage collector need not traverse them."""
    if sys.modules[COMMAND_LINE] is None:
        del sys.modules[COMMAND_LINE]
    gc.freeze()
    gc.enable()


def _interrupt_again(ignored: sys.UnraisableHookArgs) -> None:
    """Interrupt the main thread once more if Ctrl-C came in a destructor, which prints an exception and forgets it."""
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    import signal  # noqa: PLC0415 - only then
    import threading  # noqa: PLC0415

    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()  # when the destructor has ended


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
