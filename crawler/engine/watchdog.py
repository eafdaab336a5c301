"""`Watchdog`: a thread that names the code of users that blocks the event loop, or that does not return.

Rule: no call of a hook or callback is measured. The thread looks from outside: at the stack of the loop's thread, five
times a second, and at the frames in which the tasks of the crawl wait, every five seconds.

`describe_step` and `describe_tasks` say what keeps a crawl from stopping.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Self

import trio
from msgspec import Struct

from crawler.engine.slots import current_ticket
from crawler.engine.tracebacks import FRAMEWORK_PACKAGES
from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.messages import Request
from crawler.spiders import Spider

if TYPE_CHECKING:
    from crawler.engine.shutdown import Shutdown

__all__ = ["Watchdog", "describe_step", "describe_tasks"]

SLOW: Final = 1.0
"""Seconds for which a step may block the event loop before its handler is named: a timeout of a server is not far."""
LONG: Final = 60.0
"""Seconds for which a hook may wait before it is named: longer than any request of it should take."""
CANCELLED: Final = 5.0
"""Seconds after which a hook is named that the end of a stop cancels: it has used up much of the grace (10 s)."""
LOOK: Final = 0.2
"""Seconds between two looks at the stack: a fifth of `SLOW`."""
WAITS: Final = 5.0
"""Seconds between two looks at the tasks; a stop is looked at in each `LOOK`."""
MAX_NAMED: Final = 1000
"""Handlers that are remembered, so that each is named once: a crawl may make them at run time."""
FETCHES: Final = frozenset({"fetch", "sitemaps_of", "send"})
"""The functions of the engine in which a handler waits for the network or for a limit: `Crawl.fetch`, and `send`."""
log = get_logger("crawler.engine")


class _Step(Struct, eq=False):
    """A step of the event loop that was seen to be in the code of a handler."""

    task: trio.lowlevel.Task
    code: object
    began: float
    name: str = ""
    """The handler; empty until it is seen for a second time."""
    url: str = ""
    ended: float = math.inf
    """When the event loop continued."""

    def end(self) -> None:
        """Note that the event loop continues. It runs in the loop."""
        self.ended = min(self.ended, time.perf_counter())


class _Blocked(Struct, eq=False):
    """How often and for how long one handler has blocked the event loop."""

    steps: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    url: str = ""


class Watchdog(AbstractContextManager["Watchdog"]):
    """Watches the tasks below the one that enters it; `stop` is that of the crawl: without it, only steps are watched.

    A step is long if looks find it in the same handler, and the loop has not continued in between. The thread asks the
    loop for a sign only then, so it wakes no loop that waits. Everything is logged in the loop.
    """

    def __init__(self, stop: Shutdown | None = None) -> None:
        self._stop = stop
        self._ended = threading.Event()
        self._step: _Step | None = None
        self._over: deque[_Step] = deque()
        self._blocked: dict[str, _Blocked] = {}
        self._waiting: dict[FrameType, float] = {}
        self._named: set[str] = set()

    def __enter__(self) -> Self:
        self._loop, self._token = threading.get_ident(), trio.lowlevel.current_trio_token()
        self._root = trio.lowlevel.current_task()
        self._thread = threading.Thread(target=self._run, name="crawler watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._step is not None:
            self._over.append(self._step)
        self._end_steps()
        for handler, blocked in self._blocked.items():
            if blocked.steps > 1:
                log.warning(
                    "%s blocked the event loop %d times, for %.1f s in total and at most %.1f s%s",
                    handler, blocked.steps, blocked.seconds, blocked.longest,
                    f", at {blocked.url}" if blocked.url else "",
                )  # fmt: skip

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Look, until the watched block ends."""
        looked, cpu = time.perf_counter(), time.process_time()
        next_waits = looked + self._pause()
        with suppress(trio.RunFinishedError):
            while not self._ended.wait(LOOK):
                now, used = time.perf_counter(), time.process_time()
                self._look_at_step(now, now - looked, used - cpu)
                looked, cpu = now, used
                if self._stop is not None and now >= next_waits:
                    self._token.run_sync_soon(self._look_at_calls, self._stop, idempotent=True)
                    next_waits = now + self._pause()

    def _pause(self) -> float:
        """Return the seconds until the next look at the tasks."""
        return 0.0 if self._stop is not None and self._stop.stopping.is_set() else min(WAITS, LONG / 2)

    def _look_at_step(self, now: float, gap: float, cpu: float) -> None:
        """Begin, continue or end the step that the event loop is in.

        This thread could not look for longer than `LOOK` if a function in C held the interpreter, which is part of the
        step, or if the machine had no time for the process, which is not. What the process has used tells.
        """
        frames = _step(self._loop)
        task = _running(self._root) if frames else None
        found = _call(frames) or (_innermost(frames) if task is not None and current_ticket in task.context else [])
        step = self._step
        if step is not None:
            step.began += max(0.0, gap - LOOK - cpu)
            if found and step.task is task and step.code is found[0].f_code and step.ended == math.inf:
                if not step.name:
                    step.name, step.url = _name(found), _url(found, task)
                return
            self._step = None
            self._over.append(step)
            self._token.run_sync_soon(self._end_steps)
        if task is not None and found:
            held = min(gap - LOOK, cpu) if gap > 2 * LOOK else 0.0
            self._step = _Step(task, found[0].f_code, now - held)
            if held:
                self._step.name, self._step.url = _name(found), _url(found, task)
            self._token.run_sync_soon(self._step.end)

    # ---- in the loop -------------------------------------------------------------------------------------------------

    def _end_steps(self) -> None:
        """Log and count the steps that were long."""
        while self._over:
            step = self._over.popleft()
            step.end()
            seconds = step.ended - step.began
            if step.name and seconds >= SLOW - LOOK / 2 and (step.name in self._blocked or not self._is_full()):
                self._count(step, seconds)

    def _count(self, step: _Step, seconds: float) -> None:
        blocked = self._blocked.setdefault(step.name, _Blocked())
        blocked.steps += 1
        blocked.seconds += seconds
        if seconds > blocked.longest:
            blocked.longest, blocked.url = seconds, step.url
        if blocked.steps == 1:
            log.warning(
                "%s blocked the event loop for %.1f s%s: no other request continued meanwhile; "
                "await trio.to_thread.run_sync() for work that takes long",
                step.name, seconds, f" at {step.url}" if step.url else "",
            )  # fmt: skip

    def _is_full(self) -> bool:
        return len(self._blocked) + len(self._named) >= MAX_NAMED

    def _look_at_calls(self, stop: Shutdown) -> None:
        """Log the calls of hooks and callbacks that do not return."""
        now, left = time.perf_counter(), stop.stop_at - trio.current_time()
        calls = {frame: (name, url) for task in _tasks(self._root) for frame, name, url in self._calls(task)}
        self._waiting = {frame: self._waiting.get(frame, now) for frame in calls}
        for frame, (name, url) in calls.items():
            seconds, place = now - self._waiting[frame], f" for {url}" if url else ""
            if name in self._named or self._is_full():
                continue
            if seconds >= LONG:
                self._named.add(name)
                log.warning("%s has not returned for %.0f s%s; the crawl waits for it", name, seconds, place)
            elif (
                left <= 2 * LOOK and seconds >= CANCELLED
            ):  # at the last look before the cancellation, or the one before
                self._named.add(name)
                log.warning("%s was cancelled after %.0f s%s", name, seconds, place)

    def _calls(self, task: trio.lowlevel.Task) -> Iterator[tuple[FrameType, str, str]]:
        """Yield the handler in which a task waits, its name and its page, unless it waits for a fetch."""
        frames = [frame for frame, _ in task.iter_await_frames()]
        call = _call(frames)
        found = (call[0], _hook_name(call)) if call else _call_elsewhere(frames)
        if found is not None and not any(_fetches(child) for child in _tasks(task) if child is not task):
            yield *found, _url(call, task)


def describe_step(thread: int, root: trio.lowlevel.Task) -> str | None:
    """Return the code that the event loop of a thread executes, with its page; `None` if the loop waits for events.

    Call it from another thread.
    """
    frames = _step(thread)
    return _describe(frames, _running(root)) if frames else None


def describe_tasks(root: trio.lowlevel.Task) -> str:
    """Return the code in which the tasks of a crawl wait: handlers and hooks if there are any, else the framework's.

    Call it in the event loop.
    """
    tasks = list(_tasks(root))
    waiting = {task: [frame for frame, _ in task.iter_await_frames()] for task in tasks}
    in_handlers = [task for task, frames in waiting.items() if any(map(_is_handler, frames))]
    leaves = (task for task in tasks if not any(nursery.child_tasks for nursery in task.child_nurseries))
    found = dict.fromkeys(_describe(waiting[task], task) for task in in_handlers or leaves)
    named = list(found)[:3]  # in one line
    more = len(found) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


# ---- tasks -----------------------------------------------------------------------------------------------------------


def _step(thread: int) -> list[FrameType]:
    """Return the frames of the current step of an event loop, the outermost first; none if it waits, or there is none.

    Call it from another thread.
    """
    frames: list[FrameType] = []
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the only way to see a thread that is blocked
    while frame is not None and not (frame.f_code.co_name == "unrolled_run" and _module(frame) == "trio._core._run"):
        if _module(frame).startswith("trio._core._io_"):
            return []
        frames.append(frame)
        frame = frame.f_back
    return [] if frame is None else frames[::-1]


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


def _fetches(task: trio.lowlevel.Task) -> bool:
    return any(map(_is_fetch, (frame for frame, _ in task.iter_await_frames())))


# ---- frames ----------------------------------------------------------------------------------------------------------


def _call(frames: Iterable[FrameType]) -> list[FrameType]:
    """Return the frames of the innermost handler that the engine has called; none if that waits for the network.

    A hook may run in the `send` of another one.
    """
    found: list[FrameType] = []
    is_called = False
    for frame in frames:
        module = _module(frame)
        if module.startswith("crawler.fetch."):
            return []
        if _is_fetch(frame):
            found.clear()
        elif is_called and _is_handler(frame):
            found.append(frame)
        is_called = is_called or module.startswith("crawler.engine.")
    return found


def _innermost(frames: list[FrameType]) -> list[FrameType]:
    """Return the innermost frame of the framework, or that which fetches."""
    ours = [frame for frame in frames if _package(frame) == "crawler"]
    return [next((frame for frame in ours if _module(frame).startswith("crawler.fetch.")), (ours or frames)[-1])]


def _call_elsewhere(frames: list[FrameType]) -> tuple[FrameType, str] | None:
    """Return the frame that waits for a handler in a worker thread or in another process, and the handler's name."""
    for frame in frames:
        if frame.f_code.co_name == "call_sink":
            method = frame.f_locals["method"]
            return frame, f"{getattr(method, 'func', method).__self__.name}.persist"
        if frame.f_code.co_name == "_call_handlers":
            pages = frame.f_locals["self"]
            in_process = any(_module(inner).startswith("crawler.engine.processes.") for inner in frames)
            return (frame, f"{pages.spider.name}.{frame.f_locals['name']}") if in_process else None
    return None


def _named(frames: list[FrameType]) -> FrameType:
    """Return the frame of a method of a plugin, rather than that of a function around it, such as a decorator's."""
    return next((frame for frame in frames if _plugin(frame) is not None), frames[0])


def _name(frames: list[FrameType]) -> str:
    """Return the name of a handler, the place of its definition, and the plugin that it is of."""
    frame = _named(frames)
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_code.co_firstlineno}){_of_plugin(frame)}"


def _hook_name(frames: list[FrameType]) -> str:
    """Return ``PLUGIN.METHOD``."""
    frame = _named(frames)
    plugin = _plugin(frame)
    return frame.f_code.co_qualname if plugin is None else f"{plugin.name}.{frame.f_code.co_name}"


def _describe(frames: list[FrameType], task: trio.lowlevel.Task | None) -> str:
    """Return name and line of the handler among some frames, or of the framework's innermost one, and its page."""
    frame = _named(_call(frames) or list(filter(_is_handler, frames)) or _innermost(frames))
    place = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno}){_of_plugin(frame)}"
    ticket = None if task is None else task.context.get(current_ticket)
    return place if ticket is None else f"{place} for {ticket.request.url}"


def _url(frames: list[FrameType], task: trio.lowlevel.Task) -> str:
    """Return the URL of the request or page that a handler has as an argument, or of the page of its task."""
    for code, values in ((frame.f_code, frame.f_locals) for frame in frames):
        for name in code.co_varnames[: code.co_argcount]:
            value = values.get(name)
            request = value if isinstance(value, Request) else getattr(value, "request", None)
            if isinstance(request, Request):
                return request.url
    ticket = task.context.get(current_ticket)
    return "" if ticket is None else ticket.request.url


def _is_handler(frame: FrameType) -> bool:
    """Return whether a frame is outside of the framework, or of a ready-made spider."""
    return _package(frame) not in FRAMEWORK_PACKAGES or _module(frame).startswith("crawler.spiders.")


def _is_fetch(frame: FrameType) -> bool:
    return frame.f_code.co_name in FETCHES and _module(frame).startswith("crawler.engine.")


def _of_plugin(frame: FrameType) -> str:
    plugin = _plugin(frame)
    return "" if plugin is None or isinstance(plugin, Spider) else f" of the plugin {plugin.name}"


def _plugin(frame: FrameType) -> Plugin | None:
    """Return the spider or plugin of which a frame is a method; `None` if it is a function."""
    first: Any = frame.f_locals.get(frame.f_code.co_varnames[0]) if frame.f_code.co_argcount else None
    return first if isinstance(first, Plugin) else None


def _package(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name
