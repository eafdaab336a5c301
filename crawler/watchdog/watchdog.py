"""`Watchdog`: a thread that names the code of users that blocks the event loop, or that does not return.

Rule: no call of a hook or callback is measured. The thread looks from outside: at the stack of the loop's thread, five
times a second, and at the frames in which the tasks of the crawl wait, every five seconds.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import Final, Protocol, Self

import trio
from msgspec import Struct

from crawler.frontier import current_ticket
from crawler.logs import get_logger
from crawler.watchdog.frames import call_elsewhere, call_of, hook_name, innermost, name_of, url_of
from crawler.watchdog.tasks import fetches, running, step_frames, tasks_below

__all__ = ["Watchdog"]

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
log = get_logger("crawler.engine")


class Stop(Protocol):
    """The stop of a crawl."""

    @property
    def stopping(self) -> trio.Event:
        """Is set when the crawl begins to stop."""

    @property
    def stop_at(self) -> float:
        """When what still runs is cancelled, in trio's time; infinite before the stop."""


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

    def __init__(self, stop: Stop | None = None) -> None:
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
        frames = step_frames(self._loop)
        task = running(self._root) if frames else None
        found = call_of(frames) or (innermost(frames) if task is not None and current_ticket in task.context else [])
        step = self._step
        if step is not None:
            step.began += max(0.0, gap - LOOK - cpu)
            if found and step.task is task and step.code is found[0].f_code and step.ended == math.inf:
                if not step.name:
                    step.name, step.url = name_of(found), url_of(found, task)
                return
            self._step = None
            self._over.append(step)
            self._token.run_sync_soon(self._end_steps)
        if task is not None and found:
            held = min(gap - LOOK, cpu) if gap > 2 * LOOK else 0.0
            self._step = _Step(task, found[0].f_code, now - held)
            if held:
                self._step.name, self._step.url = name_of(found), url_of(found, task)
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

    def _look_at_calls(self, stop: Stop) -> None:
        """Log the calls of hooks and callbacks that do not return."""
        now, left = time.perf_counter(), stop.stop_at - trio.current_time()
        calls = {frame: (name, url) for task in tasks_below(self._root) for frame, name, url in self._calls(task)}
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
        call = call_of(frames)
        found = (call[0], hook_name(call)) if call else call_elsewhere(frames)
        if found is not None and not any(fetches(child) for child in tasks_below(task) if child is not task):
            yield *found, url_of(call, task)
