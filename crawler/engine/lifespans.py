"""`lifespan`: enters and leaves the lifespan of one plugin, and names the plugin in what it raises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.errors import ConfigError, CrawlFailed, JobError, PluginError

if TYPE_CHECKING:
    from crawler.hooks.crawl import Crawl
    from crawler.hooks.plugin import Plugin
    from crawler.hooks.table import Hook

__all__ = ["causes", "lifespan"]

PASSED_ON: Final = (ConfigError, PluginError, JobError, CrawlFailed)
"""Exceptions whose message needs no further context: they pass unchanged."""


@asynccontextmanager
async def lifespan(hook: Hook, crawl: Crawl) -> AsyncIterator[None]:
    """Enter the lifespan of a plugin, and leave it at the end of the block."""
    plugin = hook.plugin
    try:
        manager = plugin.lifespan(crawl)
        if not hasattr(manager, "__aenter__") or not hasattr(manager, "__aexit__"):
            message = describe_wrong(manager, "an async context manager: decorate it with @asynccontextmanager")
            raise PluginError(f"{plugin.name}.lifespan {message}")
        await manager.__aenter__()
    except PASSED_ON:
        raise
    except faults() as error:
        raise _named(plugin, error) from error
    try:
        yield
    except BaseException as error:  # noqa: ASYNC103 - a plugin may catch what its own scopes cancelled
        try:
            caught = await manager.__aexit__(type(error), error, error.__traceback__)  # noqa: ASYNC102 - its cleanup
        except faults() as raised:
            if isinstance(raised, PASSED_ON) or not set(causes(raised)).isdisjoint(causes(error)):
                raise  # the crawl has failed
            raise _named(plugin, raised) from raised  # noqa: ASYNC104 - its nursery has caught the cancellation
        if isinstance(error, Exception) or not caught:
            raise
        message = f"{plugin.name}.lifespan cancelled the crawl"
        raise CrawlFailed(message) from error  # noqa: ASYNC104 - the plugin has caught its own cancellation
    try:
        await manager.__aexit__(None, None, None)
    except PASSED_ON:
        raise
    except faults() as error:
        raise _named(plugin, error) from error


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
