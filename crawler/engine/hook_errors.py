"""Exceptions of callbacks and hooks, raised as a `HookError` that names the plugin and the hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from crawler.engine.handler_results import words_of
from crawler.errors import HookError, JobError

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages import Request

__all__ = ["ERRORS", "HookErrors", "raise_hook_error"]

ERRORS: Final = (Exception, SystemExit)
"""The exceptions that are errors of a hook or callback: ``sys.exit()`` in one of them does not end the process."""


def raise_hook_error(
    error: BaseException, plugin: Plugin, hook: str, request: Request, *, is_callback: bool = False
) -> NoReturn:
    """Raise an exception of a handler as a `HookError`; one of the store as it is.

    Parameters:
        error: The exception.
        plugin: The plugin or the spider.
        hook: The name of the hook or callback.
        request: The request of the page.
        is_callback: Whether it is a callback of the spider.

    Raises:
        HookError: Its cause is the exception.
    """
    if isinstance(error, (HookError, JobError)):
        raise error
    raise HookError(words_of(error), plugin=plugin.name, hook=hook, request=request, is_callback=is_callback) from error


class HookErrors:
    """A context manager that turns exceptions into a `HookError`; with `raised`, into an entry of that list.

    Parameters:
        plugin: The plugin or the spider.
        hook: The name of the hook or callback.
        request: The request of the page.
        raised: Gets the errors, so that none leaves the block. `None`: they are raised.
        is_callback: Whether it is a callback of the spider.
    """

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
        if not isinstance(error, ERRORS):
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
