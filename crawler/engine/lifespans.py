"""`lifespan`: enters and leaves the lifespan of one plugin, and names the plugin in what it raises.

`watching` measures the calls of hooks meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.errors import ConfigError, CrawlFailed, JobError, PluginError

if TYPE_CHECKING:
    from crawler.engine.long_calls import LongCalls
    from crawler.engine.slow_steps import SlowSteps
    from crawler.hooks.plugin import Crawl, Plugin
    from crawler.hooks.table import Hook

__all__ = ["causes", "lifespan", "watching"]

PASSED_ON: Final = (ConfigError, PluginError, JobError, CrawlFailed)
"""Exceptions whose message needs no further context: they pass unchanged."""


@asynccontextmanager
async def lifespan(hook: Hook, crawl: Crawl, long: LongCalls, slow: SlowSteps) -> AsyncIterator[None]:
    """Enter the lifespan of a plugin, and leave it at the end of the block.

    Parameters:
        hook: The hook of the plugin.
        crawl: What its lifespan gets.
        long: Names a lifespan that does not return.
        slow: Names a lifespan that blocks the event loop.

    Raises:
        CrawlFailed: The lifespan raised an exception other than those of `PASSED_ON`, or cancelled the crawl.
        PluginError: It is not an async context manager.
    """
    plugin, watch = hook.plugin, partial(slow.watch, handler=hook.call, url="")
    try:
        manager = plugin.lifespan(crawl)
        if not hasattr(manager, "__aenter__") or not hasattr(manager, "__aexit__"):
            message = describe_wrong(manager, "an async context manager: decorate it with @asynccontextmanager")
            raise PluginError(f"{plugin.name}.lifespan {message}")
        with long.call(plugin.name, "lifespan"):
            await watch(manager.__aenter__())
    except PASSED_ON:
        raise
    except faults() as error:
        raise _named(plugin, error) from error
    try:
        yield
    except BaseException as error:  # noqa: ASYNC103 - a plugin may catch what its own scopes cancelled
        try:
            with long.call(plugin.name, "lifespan"):
                caught = await watch(manager.__aexit__(type(error), error, error.__traceback__))  # noqa: ASYNC102 - its cleanup
        except faults() as raised:
            if isinstance(raised, PASSED_ON) or not set(causes(raised)).isdisjoint(causes(error)):
                raise  # the crawl has failed
            raise _named(plugin, raised) from raised  # noqa: ASYNC104 - its nursery has caught the cancellation
        if isinstance(error, Exception) or not caught:
            raise
        message = f"{plugin.name}.lifespan cancelled the crawl"
        raise CrawlFailed(message) from error  # noqa: ASYNC104 - the plugin has caught its own cancellation
    try:
        with long.call(plugin.name, "lifespan"):
            await watch(manager.__aexit__(None, None, None))
    except PASSED_ON:
        raise
    except faults() as error:
        raise _named(plugin, error) from error


@asynccontextmanager
async def watching(long: LongCalls) -> AsyncIterator[None]:
    """Look at the calls of hooks while the block runs.

    The task belongs to no nursery: an exception of the block must not become a group.
    """
    scope, ended = trio.CancelScope(), trio.Event()
    trio.lowlevel.spawn_system_task(_watch, long, scope, ended)
    try:
        yield
    finally:
        scope.cancel(reason="the crawl has ended")
        with trio.move_on_after(1, shield=True):
            await ended.wait()


async def _watch(long: LongCalls, scope: trio.CancelScope, ended: trio.Event) -> None:
    with scope:
        while True:
            pause = long.look()
            await trio.sleep(pause)
    ended.set()


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in a group; an exception that is not a group is its only one."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from causes(part)
    else:
        yield error


def _named(plugin: Plugin, raised: BaseException) -> Exception:
    """Return an exception that names the plugin."""
    cause = next(causes(raised))
    if isinstance(cause, PASSED_ON):
        return type(cause)(*cause.args)
    return CrawlFailed(f"{plugin.name}.lifespan failed: {describe_error(cause)}")
