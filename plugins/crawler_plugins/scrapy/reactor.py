"""`TrioReactor`: the parts of a Twisted reactor that Scrapy components use, timers and threads, on trio.

No event loop of Twisted runs. `deferToThread`, `LoopingCall`, `callLater` and Scrapy's own helpers import
``twisted.internet.reactor``; while a bridged spider exists, they get this object.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio
import twisted.internet
from twisted.internet import main
from twisted.internet.task import Clock

from crawler import ConfigError
from crawler_plugins.scrapy.asyncio_loop import TimerLoop

__all__ = ["TrioReactor", "asyncio_loop"]

MODULE: Final = "twisted.internet.reactor"
INSTALL: Final = main.installReactor
STARTS_SCRAPY: Final = (
    'it starts a crawl of Scrapy when it is imported: put that below if __name__ == "__main__", or run it with Python'
)
"""Why a file cannot be run."""
log = logging.getLogger("crawler.plugins.scrapy")


class TrioReactor(Clock):
    """Timers and threads of a Twisted reactor. `keep` calls them in a trio task; several crawls may share a reactor."""

    running = True

    def __init__(self) -> None:
        super().__init__()
        self._changed = trio.Event()
        self._token: Any = None
        self._nurseries: list[trio.Nursery] = []
        self._waiting: list[Callable[[], object]] = []
        self.asyncio = TimerLoop(self)  # type: ignore[abstract]  # it has no sockets
        """The event loop that async code of the project finds."""

    # ---- installation ------------------------------------------------------------------------------------------------

    @classmethod
    def install(cls) -> TrioReactor:
        """Return the reactor of this process, installed as ``twisted.internet.reactor``.

        Raises:
            ConfigError: A reactor of Twisted is installed already.
        """
        installed: Any = sys.modules.get(MODULE)
        if installed is None:
            installed = cls()
            installed.put_in_place()
        if not isinstance(installed, cls):
            name = type(installed).__name__
            raise ConfigError(f"a Twisted reactor ({name}) is installed in this process: crawl in a process of its own")
        return installed

    def put_in_place(self) -> None:
        """Become the reactor of this process, in place of another of this class."""
        sys.modules[MODULE] = twisted.internet.reactor = self
        main.installReactor = _keep  # some projects install one when they are imported

    @classmethod
    def is_installed(cls) -> bool:
        """Return whether the reactor of this process is of this class."""
        return isinstance(sys.modules.get(MODULE), cls)

    @staticmethod
    def uninstall() -> None:
        """Let another reactor be installed in this process, unless a crawl still uses this one."""
        installed: Any = sys.modules.get(MODULE)
        if isinstance(installed, TrioReactor) and not installed.is_kept:
            del sys.modules[MODULE]
            del twisted.internet.reactor
            main.installReactor = INSTALL

    @property
    def is_kept(self) -> bool:
        """Whether a crawl calls its timers."""
        return bool(self._nurseries)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def run(self, *_args: object, **_kw: object) -> None:
        """Refuse to run: the event loop of the crawl does.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(STARTS_SCRAPY)

    async def keep(
        self, nursery: trio.Nursery, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Call timers when they are due, until the task is cancelled.

        Parameters:
            nursery: Where functions run in threads.
            task_status: Of `nursery.start`.
        """
        self._token = trio.lowlevel.current_trio_token()
        if not self._nurseries:
            for call in self.calls:  # they were made at the time 0
                call.time += trio.current_time()
        self._nurseries.append(nursery)
        for function in self._waiting:
            function()
        self._waiting.clear()
        task_status.started()
        try:
            while True:
                if self._changed.is_set():
                    self._changed = trio.Event()
                due = min((call.getTime() for call in self.getDelayedCalls()), default=trio.current_time() + 3600)
                with trio.move_on_at(due):
                    await self._changed.wait()
                self._call_due()
        finally:
            self._nurseries.remove(nursery)

    def _call_due(self) -> None:
        """Call the timers that are due now; those that they set wait for the next round."""
        for call in [call for call in self.calls if call.getTime() <= self.seconds()]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                try:
                    call.func(*call.args, **call.kw)
                except Exception:
                    log.exception("a timer raised an exception")

    def seconds(self) -> float:
        """Return the time of the reactor, in seconds."""
        return trio.current_time() if self._nurseries else 0.0

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> Any:  # noqa: A002, N802 - Twisted's names
        """Call a function after some seconds, and return a handle that can cancel that."""
        call = super().callLater(delay, callable, *args, **kw)
        self._changed.set()
        return call

    def callWhenRunning(self, function: Callable[..., object], *args: object, **kw: object) -> None:  # noqa: N802
        """Call a function when the crawl has begun, at once if it has."""
        call = partial(function, *args, **kw)
        if not self._nurseries:
            self._waiting.append(call)
        else:
            call()

    # ---- threads -----------------------------------------------------------------------------------------------------

    def callFromThread(self, function: Callable[..., object], *args: object, **kw: object) -> None:  # noqa: N802
        """Call a function in the thread of the crawl."""
        self._token.run_sync_soon(partial(function, *args, **kw))

    def callInThread(self, function: Callable[..., object], *args: object, **kw: object) -> None:  # noqa: N802
        """Call a function in a thread."""
        self.callInThreadWithCallback(None, function, *args, **kw)

    def getThreadPool(self) -> TrioReactor:  # noqa: N802
        """Return what `deferToThread` calls functions with."""
        return self

    def callInThreadWithCallback(  # noqa: N802
        self, done: Callable[[bool, Any], object] | None, function: Callable[..., object], *args: object, **kw: object
    ) -> None:
        """Call a function in a thread, and pass whether it succeeded and its result to `done`, in that thread."""
        from twisted.python.failure import Failure  # noqa: PLC0415 - few components use threads

        def work() -> None:
            try:
                ok, result = True, function(*args, **kw)
            except Exception:
                ok, result = False, Failure()
            if done is not None:
                done(ok, result)

        async def run() -> None:
            with trio.CancelScope(shield=True):  # the crawl of the nursery may end before that of the caller
                await trio.to_thread.run_sync(work)

        self.callWhenRunning(lambda: self._nurseries[-1].start_soon(run))

    def __getattr__(self, name: str) -> Any:
        """Refuse the network of a reactor.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            f"reactor.{name} needs the event loop of Twisted, which does not run here: yield a Request, await "
            "crawler.engine.download_async(), or run the project with Scrapy"
        )

    # ---- what components call without effect here --------------------------------------------------------------------

    def addSystemEventTrigger(self, *_args: object, **_kw: object) -> object:  # noqa: N802
        """Accept a function for the end of the process: signals are the crawl's."""
        return object()

    def removeSystemEventTrigger(self, trigger: object) -> None:  # noqa: N802
        """Forget such a function."""

    def suggestThreadPoolSize(self, size: int) -> None:  # noqa: N802
        """Ignore the size: trio has a limit of its own."""


def _keep(_reactor: object) -> None:
    """Install no other reactor."""


def asyncio_loop() -> TimerLoop | None:
    """Return the event loop of the reactor of this process; `None` without a reactor of this class."""
    installed = sys.modules.get(MODULE)
    return installed.asyncio if isinstance(installed, TrioReactor) else None
