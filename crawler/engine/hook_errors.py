"""Exceptions of callbacks and hooks, raised as a `HookError` that names the plugin and the hook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from crawler.engine.handler_results import describe_error
from crawler.errors import HookError, JobError

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages import Request

__all__ = ["HookErrors", "faults", "is_fault", "raise_hook_error"]

NO_FAULTS: Final = (KeyboardInterrupt, GeneratorExit, trio.Cancelled)
"""The exceptions that are no errors of the hook or callback that they pass through."""


def is_fault(error: BaseException) -> bool:
    """Return whether an exception is an error of the hook or callback that raised it.

    All are, except `NO_FAULTS` and groups that contain one of those. ``sys.exit()`` does not end the process.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(NO_FAULTS) is None
    return not isinstance(error, NO_FAULTS)


def faults(*others: type[BaseException]) -> tuple[type[BaseException], ...]:
    """Return what an ``except`` clause around a hook catches: the class of the exception at hand, if it is a fault.

    Python evaluates the expression of the clause while it handles that exception. ``except BaseException`` would also
    catch `trio.Cancelled`, and have to raise it again.
    """
    error = sys.exception()
    return others if error is None or not is_fault(error) else (type(error), *others)


def raise_hook_error(
    error: BaseException, plugin: Plugin, hook: str, request: Request, *, is_callback: bool = False
) -> NoReturn:
    """Raise an exception of a handler as a `HookError`; one of the store as it is."""
    if isinstance(error, (HookError, JobError)):
        raise error
    raise HookError(
        describe_error(error), plugin=plugin.name, hook=hook, request=request, is_callback=is_callback
    ) from error


class HookErrors:
    """A context manager that turns exceptions into a `HookError`; with `raised`, into an entry of that list."""

    def __init__(
        self,
        plugin: Plugin,
        hook: str,
        request: Request,
        raised: list[HookError] | None = None,
        *,
        is_callback: bool = False,
    ) -> None:
        self._plugin = plugin
        self._hook = hook
        self._request = request
        self._raised = raised
        self._is_callback = is_callback

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is None or not is_fault(error):
            return False
        try:
            raise_hook_error(error, self._plugin, self._hook, self._request, is_callback=self._is_callback)
        except HookError as hook_error:
            if self._raised is not None:
                self._raised.append(hook_error)
                return True
            if hook_error is error:
                return False
            raise
        except JobError:
            return False
