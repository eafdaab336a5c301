"""`Processes`: what a crawl has before its event loop runs, so that its callbacks can run in other processes."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from crawler.engine.processes.attributes import Attributes
from crawler.engine.processes.child import run_process
from crawler.engine.processes.cores import usable_cores
from crawler.engine.processes.launcher import Launcher
from crawler.engine.processes.pool import ProcessPool
from crawler.engine.processes.shared_bodies import shared_memory
from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.hooks.state import State
    from crawler.settings import Settings
    from crawler.spiders import Spider

__all__ = ["Processes", "warn_of_one_process"]

ONE_PROCESS: Final = "setting processes: callbacks run in one process: %s"
log = get_logger("crawler.engine")


def warn_of_one_process() -> None:
    """Log that a crawl in an event loop of the user has no other processes."""
    log.warning(ONE_PROCESS, "only run() and crawler run fork others")


class Processes:
    """The launcher of the processes of a crawl."""

    def __init__(self, launcher: Launcher, memories: Sequence[mmap.mmap], attributes: Attributes) -> None:
        self._launcher = launcher
        self._memories = memories
        self._attributes = attributes
        self._pool: ProcessPool | None = None

    @classmethod
    @contextmanager
    def forked(cls, spider: Spider, plugins: Sequence[Plugin], settings: Settings) -> Iterator[Self | None]:
        """Fork the launcher. It and its processes have ended after the block; `None`: the program cannot be forked."""
        others = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
        if others:
            log.warning(ONE_PROCESS, f"the program has other threads ({', '.join(others)}), so it cannot be forked")
            yield None
            return
        count = usable_cores() if settings.processes == "auto" else settings.processes
        attributes = Attributes(spider)
        memories = [shared_memory() for _ in range(count)]
        with closing(Launcher.fork(partial(run_process, spider, plugins, settings, memories))) as launcher:
            yield cls(launcher, memories, attributes)

    def pool(self, spider: Spider, state: State, known: Callable[[], Container[str]]) -> ProcessPool:
        """Return the pool of a crawl. Parameters are those of `ProcessPool`."""
        self._pool = ProcessPool(self._launcher, self._memories, spider, self._attributes, state, known)
        return self._pool

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the processes that have ended."""
        return 0.0 if self._pool is None else self._pool.cpu_seconds
