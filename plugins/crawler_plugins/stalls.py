"""`Stalls`: show the line at which the event loop is blocked, while it is blocked."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from types import FrameType

import msgspec
import trio

from crawler import ConfigError, Crawl, Plugin
from crawler_plugins.frames import own_frames, place_of

__all__ = ["Stall", "Stalls"]

MAX_FRAMES = 40
"""Maximum number of frames of a stack that are kept, the innermost ones."""
log = logging.getLogger("crawler.plugins.stalls")


class Stall(msgspec.Struct, kw_only=True):
    """One time that the event loop was blocked: one line of the file."""

    at: float
    """When it began, in seconds since the epoch."""
    seconds: float
    """How long it lasted."""
    task: str
    """Name of the task that blocked the event loop."""
    place: str
    """File, line and function of the user's code that was running."""
    stack: list[str]
    """The frames of the stack, the innermost last."""


class Stalls(Plugin):
    """Shows the line at which the event loop is blocked, while it is blocked.

    The framework itself names callbacks and hooks that blocked the event loop for more than a second, when they return.
    This plugin watches everything that runs on the event loop, tasks of plugins and of the framework included, from a
    thread: it logs the line as soon as the threshold has passed, and the length when the block has ended. The report
    counts ``stalls``.

    Parameters:
        threshold: Seconds for which the event loop may be blocked, from 0.01.
        path: A file to which each stall is appended as a JSON object with the whole stack; `None`: none.

    Raises:
        ConfigError: `threshold` is out of range, or the file cannot be written.
    """

    def __init__(self, *, threshold: float = 1.0, path: Path | None = None) -> None:
        if not 0.01 <= threshold <= 3600:
            raise ConfigError(f"stalls: threshold must be from 0.01 to 3600 seconds, not {threshold}")
        self.threshold = threshold
        self.path = path

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Watch the event loop while the crawl runs."""
        if self.path is not None:
            try:
                self.path.open("ab").close()
            except OSError as error:
                raise ConfigError(f"stalls: cannot write {self.path}: {error.strerror}") from error
        watch = _Watch(self.threshold, self._note)
        trio.lowlevel.add_instrument(watch)
        thread = threading.Thread(target=watch.run, name="stalls", daemon=True)
        thread.start()
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(watch)
            watch.ended.set()

    def _note(self, stall: Stall) -> None:
        """Log, count and write a stall that has ended."""
        log.warning("the event loop was blocked for %.1f s at %s", stall.seconds, stall.place)
        Context().run(self.crawl.count, "stalls")
        if self.path is not None:
            try:
                with self.path.open("ab") as file:
                    file.write(msgspec.json.encode(stall) + b"\n")
            except OSError as error:
                log.warning("cannot write %s: %s", self.path, error.strerror)


class _Watch(trio.abc.Instrument):
    """Measures the steps of tasks, and reads the stack of one that takes long, from another thread."""

    def __init__(self, threshold: float, note: Callable[[Stall], None]) -> None:
        self.ended = threading.Event()
        """Set when the crawl has ended."""
        self._threshold = threshold
        self._note = note
        self._thread = threading.get_ident()
        self._step: tuple[trio.lowlevel.Task, float] | None = None
        self._seen: tuple[object, Stall] | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note when the step of a task begins."""
        self._step = (task, time.perf_counter())

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Report a step that was seen to be long."""
        step, self._step, seen = self._step, None, self._seen
        if seen is not None and step is not None and seen[0] is step:
            self._seen = None
            seen[1].seconds = round(time.perf_counter() - step[1], 3)
            self._note(seen[1])

    def run(self) -> None:
        """Watch the event loop until the crawl has ended."""
        while not self.ended.wait(self._threshold / 4):
            step = self._step
            is_new = step is not None and (self._seen is None or self._seen[0] is not step)
            if is_new and step is not None and time.perf_counter() - step[1] > self._threshold:
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - documented, with its underscore
                if frame is not None and step is self._step:
                    self._look(step, frame)

    def _look(self, step: tuple[trio.lowlevel.Task, float], frame: FrameType) -> None:
        """Log where the event loop is blocked now."""
        frames = list(traceback.walk_stack(frame))[:MAX_FRAMES][::-1]
        file, line, function = own_frames(frames)[-1]
        place = f"{file}:{line} in {function}"
        stack = ["{}:{} {}".format(*place_of(*one)) for one in frames]
        at = time.time() - self._threshold
        self._seen = (step, Stall(at=at, seconds=0.0, task=step[0].name, place=place, stack=stack))
        log.warning("the event loop is blocked for more than %g s, at %s", self._threshold, place)
