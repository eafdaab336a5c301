"""`TrioReactor`: the asyncio reactor of Twisted on a loop that a trio task runs: one in a process at a time.

Scrapy, its components and `deferToThread` import ``twisted.internet.reactor``: they find this one while a bridged
spider exists. The methods are functions of that reactor, since Scrapy checks its class.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

import trio
import twisted.internet
from twisted.internet import main
from twisted.python.log import PythonLoggingObserver

from crawler import ConfigError
from crawler_plugins.scrapy.asyncio_loop import GuestLoop

__all__ = ["TrioReactor", "asyncio_loop"]

MODULE: Final = "twisted.internet.reactor"
INSTALL: Final = main.installReactor
STARTS_SCRAPY: Final = (
    'it starts a crawl of Scrapy when it is imported: put that below if __name__ == "__main__", or run it with Python'
)
"""Why a file cannot be run."""
CLOSING: Final = 10.0
"""Seconds that components have to end, at most, as those of a crawl that was cancelled."""
PAUSE: Final = 0.001
"""Seconds between two rounds meanwhile."""
LAST_ROUNDS: Final = 3
"""The first one takes the result of a thread, the second one calls its Deferred, and the third one its futures."""


class TrioReactor:
    """The reactor of this process, its event loop and its log. Several crawls may share it."""

    _installed: TrioReactor | None = None

    def __init__(self) -> None:
        from twisted.internet.asyncioreactor import AsyncioSelectorReactor  # noqa: PLC0415 - checks create none

        self.loop = GuestLoop()
        asyncio.set_event_loop(self.loop)
        self.reactor: Any = AsyncioSelectorReactor(self.loop)
        self.reactor.seconds = self.loop.time
        self.reactor.run = _refuse_to_run
        self._log = PythonLoggingObserver("twisted")
        self._log.start()

    @classmethod
    def install(cls) -> TrioReactor:
        """Return the reactor of this process, installed as ``twisted.internet.reactor``.

        Raises:
            ConfigError: Another reactor of Twisted is installed already.
        """
        installed: Any = sys.modules.get(MODULE)
        if installed is not None and not cls.is_installed():
            name = type(installed).__name__
            raise ConfigError(f"a Twisted reactor ({name}) is installed in this process: crawl in a process of its own")
        if cls._installed is None:
            cls._installed = cls()
        cls._installed.put_in_place()
        return cls._installed

    def put_in_place(self) -> None:
        """Become the reactor of this process."""
        TrioReactor._installed = self
        sys.modules[MODULE] = twisted.internet.reactor = self.reactor
        main.installReactor = _keep  # some projects install one when they are imported

    @classmethod
    def is_installed(cls) -> bool:
        """Return whether the reactor of this process is of this class."""
        return cls._installed is not None and sys.modules.get(MODULE) is cls._installed.reactor

    @classmethod
    def uninstall(cls) -> None:
        """Let another reactor be installed in this process, unless a crawl still uses this one."""
        installed = cls._installed
        if installed is None or installed.loop.is_kept:
            return
        cls._installed = None
        if sys.modules.pop(MODULE, None) is not None:
            del twisted.internet.reactor
        main.installReactor = INSTALL
        installed.close()

    async def keep(  # noqa: ASYNC128 - the loop calls `started`
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the reactor until the task is cancelled.

        Parameters:
            task_status: Of `nursery.start`.
        """
        if not self.reactor._started:  # noqa: SLF001 - `running` is set later
            self.reactor.startRunning(installSignalHandlers=False)
        await self.loop.keep(task_status=task_status)

    def close(self) -> None:
        """Close connections and threads, when components have ended what they want to: mails, for instance."""
        ended: list[bool] = []
        self.reactor.addSystemEventTrigger("after", "shutdown", ended.append, True)
        self.reactor.fireSystemEvent("shutdown")
        give_up_at = time.monotonic() + CLOSING
        while not ended and time.monotonic() < give_up_at:
            self.loop.run_round()
            time.sleep(PAUSE)
        for _ in range(LAST_ROUNDS):
            self.loop.run_round()
        for reader in self.reactor.removeAll():
            reader.connectionLost(None)
        self.reactor.waker.connectionLost(None)
        self.loop.close()
        for name, module in list(sys.modules.items()):
            if name.startswith("twisted.") and vars(module).get("reactor") is self.reactor:
                del sys.modules[name]  # Twisted's FTP client, for one: it is imported again with the next reactor
        asyncio.set_event_loop(None)
        self._log.stop()


def _keep(_reactor: object) -> None:
    """Install no other reactor."""


def _refuse_to_run(*_args: object, **_kw: object) -> None:
    """Refuse to run: the event loop of the crawl does.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(STARTS_SCRAPY)


def asyncio_loop() -> GuestLoop | None:
    """Return the event loop of the reactor of this process; `None` without a reactor of this class."""
    installed = TrioReactor._installed  # noqa: SLF001 - its own module
    return None if installed is None else installed.loop
