"""Items between processes: as JSON, or as objects if anything in the first process looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from crawler.engine.handler_results import PageResult, encoded
from crawler.engine.processes.packing import pack_requests
from crawler.engine.processes.wire import Part, pack, unpack
from crawler.errors import HookError
from crawler.hooks.plugin import Plugin
from crawler.store import ItemRow

if TYPE_CHECKING:
    from crawler.messages import Request
    from crawler.spiders import Spider

__all__ = ["needs_objects", "pack_part", "unpack_items"]

READ_JSON: Final = ("crawler.sinks.", "crawler_plugins.")
"""Modules whose sinks read the JSON of items only."""


def needs_objects(plugins: Sequence[Plugin]) -> bool:
    """Return whether a plugin refines items, or is a sink that may look at `Row.value`."""
    for plugin in plugins:
        kind = type(plugin)
        if kind.refine is not Plugin.refine:
            return True
        if kind.persist is not Plugin.persist and not kind.__module__.startswith(READ_JSON):
            return True
    return False


def pack_part(number: int, result: PageResult, spider: Spider, request: Request, *, objects: bool) -> Part:
    """Return the items and requests of a callback so far as a message, and forget them.

    Parameters:
        number: The number of the page.
        result: The results so far.
        spider: The spider, for errors.
        request: The request of the page, for errors.
        objects: Whether the items are sent as objects.

    Raises:
        HookError: An item cannot be written as JSON, or cannot be pickled.
    """
    items, result.items = result.items, []
    requests, result.requests = result.requests, []
    if not objects:
        rows = [encoded(item.value, (spider, result.handler), request, is_callback=True) for item in items]
        return Part(number, [(row.data, row.type) for row in rows], b"", pack_requests(requests))
    try:
        values = pack([item.value for item in items]) if items else b""
    except Exception as error:
        message = f"an item cannot be sent to another process: {type(error).__name__}: {error}"
        raise HookError(message, plugin=spider.name, hook=result.handler, request=request, is_callback=True) from error
    return Part(number, [], values, pack_requests(requests))


def unpack_items(part: Part, result: PageResult) -> None:
    """Add the items of a message to a result."""
    result.encoded += [ItemRow(data, None, kind) for data, kind in part.items]
    if part.values:
        result.items += [ItemRow(b"", value) for value in unpack(part.values)]
