"""What keeps a crawl from going on: the step that its event loop is in, and the code in which its tasks wait."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

import trio

from crawler.frontier import current_ticket
from crawler.watchdog.frames import call_of, innermost, is_fetch, is_handler, module_of, named, of_plugin

__all__ = ["describe_step", "describe_tasks", "fetches", "running", "step_frames", "tasks_below"]


def describe_step(thread: int, root: trio.lowlevel.Task) -> str | None:
    """Return the code that the event loop of a thread executes, with its page; `None` if the loop waits for events.

    Call it from another thread.
    """
    frames = step_frames(thread)
    return _describe(frames, running(root)) if frames else None


def describe_tasks(root: trio.lowlevel.Task) -> str:
    """Return the code in which the tasks of a crawl wait: handlers and hooks if there are any, else the framework's.

    Call it in the event loop.
    """
    tasks = list(tasks_below(root))
    waiting = {task: [frame for frame, _ in task.iter_await_frames()] for task in tasks}
    in_handlers = [task for task, frames in waiting.items() if any(map(is_handler, frames))]
    leaves = (task for task in tasks if not any(nursery.child_tasks for nursery in task.child_nurseries))
    found = dict.fromkeys(_describe(waiting[task], task) for task in in_handlers or leaves)
    named = list(found)[:3]  # in one line
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _describe(frames: list[FrameType], task: trio.lowlevel.Task | None) -> str:
    """Return name and line of the handler among some frames, or of the framework's innermost one, and its page."""
    frame = named(call_of(frames) or list(filter(is_handler, frames)) or innermost(frames))
    place = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno}){of_plugin(frame)}"
    ticket = None if task is None else task.context.get(current_ticket)
    return place if ticket is None else f"{place} for {ticket.request.url}"


def step_frames(thread: int) -> list[FrameType]:
    """Return the frames of the current step of an event loop, the outermost first; none if it waits, or there is none.

    Call it from another thread.
    """
    frames: list[FrameType] = []
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the only way to see a thread that is blocked
    while frame is not None and not (frame.f_code.co_name == "unrolled_run" and module_of(frame) == "trio._core._run"):
        if module_of(frame).startswith("trio._core._io_"):
            return []
        frames.append(frame)
        frame = frame.f_back
    return [] if frame is None else frames[::-1]


def running(root: trio.lowlevel.Task) -> trio.lowlevel.Task | None:
    """Return the task that is being executed."""
    try:
        return next((task for task in tasks_below(root) if getattr(task.coro, "cr_running", False)), None)
    except RuntimeError:  # tasks were started or ended meanwhile
        return None


def tasks_below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """Yield a task and all tasks below it."""
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from tasks_below(child)


def fetches(task: trio.lowlevel.Task) -> bool:
    """Return whether a task waits for the network or for a limit."""
    return any(map(is_fetch, (frame for frame, _ in task.iter_await_frames())))
