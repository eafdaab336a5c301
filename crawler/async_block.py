"""`async_block`: an async context manager that says how to use it if a program loops over it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar

__all__ = ["AsyncBlock", "async_block"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncBlock(AbstractAsyncContextManager[T]):
    """Enters and leaves another context manager."""

    def __init__(self, manager: AbstractAsyncContextManager[T], usage: str) -> None:
        self._manager = manager
        self._usage = usage

    def __aenter__(self) -> Coroutine[Any, Any, T]:
        return self._manager.__aenter__()

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Coroutine[Any, Any, bool | None]:
        return self._manager.__aexit__(kind, error, traceback)

    def __aiter__(self) -> NoReturn:
        """Raise `TypeError`, which says how to use it."""
        raise TypeError(f"open it before you loop over it: {self._usage}")


def async_block(
    usage: str,
) -> Callable[[Callable[P, AbstractAsyncContextManager[T]]], Callable[P, AsyncBlock[T]]]:
    """Return a decorator of functions that return context managers: they return `AsyncBlock`s instead."""

    def decorate(function: Callable[P, AbstractAsyncContextManager[T]]) -> Callable[P, AsyncBlock[T]]:
        @functools.wraps(function)
        def open_block(*args: P.args, **kwargs: P.kwargs) -> AsyncBlock[T]:
            return AsyncBlock(function(*args, **kwargs), usage)

        return open_block

    return decorate
