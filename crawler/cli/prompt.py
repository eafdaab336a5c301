"""The prompts of ``crawler shell``: IPython if it is installed, otherwise Python's own."""

from __future__ import annotations

import ast
import code
import importlib
import inspect
import sys
from types import CodeType
from typing import Any

import trio

from crawler.cli.logs import say
from crawler.errors import CrawlerError
from crawler.hints import hint_for

__all__ = ["prompt", "run_statement"]


def prompt(names: dict[str, Any], banner: str) -> None:
    """Show a prompt until Ctrl-D. An error is one line; `await` works outside of functions."""
    try:
        ipapp = importlib.import_module("IPython.terminal.ipapp")
    except ImportError:
        _Console(names).interact(banner, exitmsg="")
    else:
        _ipython(ipapp, names, banner)


def run_statement(code: CodeType, names: dict[str, Any]) -> None:
    """Run the code of one statement; if it awaits, in an event loop of trio."""
    result = eval(code, names)  # noqa: S307 - the purpose of the command

    async def run() -> None:
        await result

    if inspect.iscoroutine(result):
        trio.run(run)


def _ipython(ipapp: Any, names: dict[str, Any], banner: str) -> None:
    config = ipapp.load_default_config()
    config.InteractiveShell.autoawait = True
    config.InteractiveShell.loop_runner = "trio"
    config.TerminalInteractiveShell.banner1 = banner
    config.TerminalInteractiveShell.banner2 = ""
    config.TerminalInteractiveShell.confirm_exit = False
    config.TerminalInteractiveShell.enable_tip = False
    config.InteractiveShell.colors = "nocolor"  # its codes would be shown as those of a page are
    app = ipapp.TerminalIPythonApp.instance(config=config, user_ns=names)
    app.initialize([])
    app.shell.set_custom_exc((Exception,), _show_in_ipython)
    app.start()


class _Console(code.InteractiveConsole):
    """Python's prompt, with history, completion and `await`."""

    def __init__(self, names: dict[str, Any]) -> None:
        import readline  # noqa: PLC0415 - needed by nothing else
        import rlcompleter  # noqa: PLC0415

        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")

    def runcode(self, code: CodeType) -> None:
        """Run the code of one statement."""
        try:
            run_statement(code, self.locals)
        except SystemExit:
            raise
        except Exception as error:
            _show(error)
        except BaseException:  # noqa: ASYNC103 - the prompt outlives what is typed
            self.showtraceback()


def _show_in_ipython(_shell: Any, _kind: Any, error: BaseException, _trace: Any, **_options: Any) -> None:
    _show(error)


def _show(error: BaseException) -> None:
    """Show an error in one line, and keep it for ``%tb``, `traceback.print_last` and debuggers."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    origin = "crawler" if isinstance(error, CrawlerError) else type(error).__name__
    say(f"{origin}: {' '.join(str(error).split())}{hint_for(error)}\n")
