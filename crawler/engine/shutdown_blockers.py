"""The code that keeps a crawl from stopping: the step that the event loop executes, or tasks that have not ended."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType, SimpleNamespace
from typing import Any, Final

import trio

from crawler.engine.slots import current_ticket
from crawler.engine.slow_steps import SlowSteps
from crawler.engine.tracebacks import FRAMEWORK_PACKAGES
from crawler.hooks.plugin import Plugin
from crawler.spiders import Spider

__all__ = ["describe_step", "describe_tasks"]

MAX_NAMED: Final = 3
"""Tasks that are named in one message."""


def describe_step(thread: int, root: trio.lowlevel.Task) -> str | None:
    """Return the code that the event loop executes, with the URL of its page; `None` if the loop waits for events.

    Call it from another thread.

    Parameters:
        thread: The identifier of the thread of the event loop.
        root: The task of the crawl.
    """
    step = list(_step(sys._current_frames().get(thread)))  # noqa: SLF001 - the only way to see a thread that is blocked
    if not step or any(_module(frame).startswith("trio._core._io_") for frame in step):
        return None
    return _describe(step, _running(root))


def describe_tasks(root: trio.lowlevel.Task) -> str:
    """Return the code in which the tasks of a crawl wait: handlers and hooks if there are any, else the framework's.

    Call it in the event loop.
    """
    tasks = list(_tasks(root))
    waiting = {task: list(_await_frames(task)) for task in tasks}
    in_handlers = [task for task, frames in waiting.items() if _handler(frames) is not None]
    found = dict.fromkeys(
        _describe(waiting[task], task) for task in in_handlers or (task for task in tasks if not _has_children(task))
    )
    named = list(found)[:MAX_NAMED]
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _step(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of the current step of an event loop, the outermost first; none if no loop runs."""
    frames: list[FrameType] = []
    while frame is not None:
        if frame.f_code.co_name == "unrolled_run" and _module(frame) == "trio._core._run":
            yield from reversed(frames)
            return
        frames.append(frame)
        frame = frame.f_back


def _running(root: trio.lowlevel.Task) -> trio.lowlevel.Task | None:
    """Return the task that is being executed."""
    try:
        return next((task for task in _tasks(root) if getattr(task.coro, "cr_running", False)), None)
    except RuntimeError:  # tasks were started or ended meanwhile
        return None


def _tasks(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _tasks(child)


def _has_children(task: trio.lowlevel.Task) -> bool:
    return any(nursery.child_tasks for nursery in task.child_nurseries)


def _await_frames(task: Any) -> Iterator[FrameType]:
    """Yield the frames of the coroutines that a task awaits, the outermost first, through `SlowSteps.watch` too."""
    frame: FrameType | None = None
    for frame, _ in trio.lowlevel.Task.iter_await_frames(task):
        yield frame
    if frame is not None and frame.f_code is SlowSteps.watch.__code__:
        yield from _await_frames(SimpleNamespace(coro=frame.f_locals["coroutine"]))


def _describe(frames: Iterable[FrameType], task: trio.lowlevel.Task | None) -> str:
    """Return name and place of the handler among some frames, or of the innermost frame, and the URL of its page."""
    frames = list(frames)
    frame = _handler(frames) or next((frame for frame in reversed(frames) if _package(frame) == "crawler"), frames[-1])
    ticket = None if task is None else task.context.get(current_ticket)
    place = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno}){_plugin(frame)}"
    return place if ticket is None else f"{place} for {ticket.request.url}"


def _handler(frames: Iterable[FrameType]) -> FrameType | None:
    """Return the outermost frame outside of the framework, or of a ready-made spider."""
    return next((frame for frame in frames if _is_handler(frame)), None)


def _is_handler(frame: FrameType) -> bool:
    return _package(frame) not in FRAMEWORK_PACKAGES or _module(frame).startswith("crawler.spiders.")


def _plugin(frame: FrameType) -> str:
    """Return the plugin whose hook a frame is; empty if it is of none."""
    owner = frame.f_locals.get("self")
    return f" of the plugin {owner.name}" if isinstance(owner, Plugin) and not isinstance(owner, Spider) else ""


def _package(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name
