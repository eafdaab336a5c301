"""Frames of the call stack: which are of users, which handler is called in them, and what it is named after."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

import trio

from crawler.frontier import current_ticket
from crawler.hooks.plugin import Plugin
from crawler.logs import FRAMEWORK_PACKAGES
from crawler.messages import Request
from crawler.spiders import Spider

__all__ = [
    "call_elsewhere", "call_of", "hook_name", "innermost", "is_fetch", "is_handler", "module_of",
    "name_of", "named", "of_plugin", "url_of",
]  # fmt: skip

FETCHES: Final = frozenset({"fetch", "sitemaps_of", "send"})
"""The functions of the engine in which a handler waits for the network or for a limit: `Crawl.fetch`, and `send`."""


def call_of(frames: Iterable[FrameType]) -> list[FrameType]:
    """Return the frames of the innermost handler that the engine has called; none if that waits for the network.

    A hook may run in the `send` of another one.
    """
    found: list[FrameType] = []
    is_called = False
    for frame in frames:
        module = module_of(frame)
        if module.startswith("crawler.fetch."):
            return []
        if is_fetch(frame):
            found.clear()
        elif is_called and is_handler(frame):
            found.append(frame)
        is_called = is_called or module.startswith("crawler.engine.")
    return found


def innermost(frames: list[FrameType]) -> list[FrameType]:
    """Return the innermost frame of the framework, or that which fetches."""
    ours = [frame for frame in frames if _package(frame) == "crawler"]
    return [next((frame for frame in ours if module_of(frame).startswith("crawler.fetch.")), (ours or frames)[-1])]


def call_elsewhere(frames: list[FrameType]) -> tuple[FrameType, str] | None:
    """Return the frame that waits for a handler in a worker thread or in another process, and the handler's name."""
    for frame in frames:
        if frame.f_code.co_name == "call_sink":
            method = frame.f_locals["method"]
            return frame, f"{getattr(method, 'func', method).__self__.name}.persist"
        if frame.f_code.co_name == "_call_handlers":
            pages = frame.f_locals["self"]
            in_process = any(module_of(inner).startswith("crawler.engine.processes.") for inner in frames)
            return (frame, f"{pages.spider.name}.{frame.f_locals['name']}") if in_process else None
    return None


def named(frames: list[FrameType]) -> FrameType:
    """Return the frame of a method of a plugin, rather than that of a function around it, such as a decorator's."""
    return next((frame for frame in frames if _plugin(frame) is not None), frames[0])


def name_of(frames: list[FrameType]) -> str:
    """Return the name of a handler, the place of its definition, and the plugin that it is of."""
    frame = named(frames)
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_code.co_firstlineno}){of_plugin(frame)}"


def hook_name(frames: list[FrameType]) -> str:
    """Return ``PLUGIN.METHOD``."""
    frame = named(frames)
    plugin = _plugin(frame)
    return frame.f_code.co_qualname if plugin is None else f"{plugin.name}.{frame.f_code.co_name}"


def url_of(frames: list[FrameType], task: trio.lowlevel.Task) -> str:
    """Return the URL of the request or page that a handler has as an argument, or of the page of its task."""
    for code, values in ((frame.f_code, frame.f_locals) for frame in frames):
        for name in code.co_varnames[: code.co_argcount]:
            value = values.get(name)
            request = value if isinstance(value, Request) else getattr(value, "request", None)
            if isinstance(request, Request):
                return request.url
    ticket = task.context.get(current_ticket)
    return "" if ticket is None else ticket.request.url


def is_handler(frame: FrameType) -> bool:
    """Return whether a frame is outside of the framework, or of a ready-made spider."""
    return _package(frame) not in FRAMEWORK_PACKAGES or module_of(frame).startswith("crawler.spiders.")


def is_fetch(frame: FrameType) -> bool:
    """Return whether a handler waits in a frame for the network or for a limit."""
    return frame.f_code.co_name in FETCHES and module_of(frame).startswith("crawler.engine.")


def of_plugin(frame: FrameType) -> str:
    """Return `` of the plugin NAME`` for a method of a plugin that is no spider."""
    plugin = _plugin(frame)
    return "" if plugin is None or isinstance(plugin, Spider) else f" of the plugin {plugin.name}"


def _plugin(frame: FrameType) -> Plugin | None:
    """Return the spider or plugin of which a frame is a method; `None` if it is a function."""
    first: Any = frame.f_locals.get(frame.f_code.co_varnames[0]) if frame.f_code.co_argcount else None
    return first if isinstance(first, Plugin) else None


def _package(frame: FrameType) -> str:
    return module_of(frame).partition(".")[0]


def module_of(frame: FrameType) -> str:
    """Return the name of the module that a frame is of."""
    name: str = frame.f_globals.get("__name__", "")
    return name
