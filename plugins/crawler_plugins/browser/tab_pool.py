"""`TabPool`: the tabs of one browser at a time, which is replaced when it has ended, is old or uses too much memory."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from crawler import CrawlFailed
from crawler_plugins.browser.cdp import CommandFailed
from crawler_plugins.browser.chromium import Chromium
from crawler_plugins.browser.tab import Tab, TabOptions

__all__ = ["TabPool"]

PAGES_OF_TAB: Final = 100
"""Pages after which a tab is closed."""
PAGES_OF_BROWSER: Final = 1000
"""Pages after which a browser is replaced."""
MAX_CONTEXTS: Final = 32
"""Sessions whose cookies the browser has at once; the crawl keeps those of all."""
CLEANING: Final = 5.0
"""Seconds in which a tab must become empty."""
STARTS: Final = 3
"""Failed starts of a browser after which the crawl fails."""
START_PAUSE: Final = 2.0
"""Seconds between two starts."""
log = logging.getLogger("crawler.plugins.browser")

Start = Callable[[trio.Nursery], Awaitable[Chromium]]
"""Starts a browser in a nursery."""


class _Member:
    """A browser of the pool, with its tabs.

    Parameters:
        browser: The browser.
    """

    def __init__(self, browser: Chromium) -> None:
        self.browser = browser
        self.pages = 0
        self.used: Counter[str] = Counter()
        """Tabs in use, by session."""
        self.is_retired = False
        self.contexts: OrderedDict[str, str] = OrderedDict()
        self.idle: dict[str, list[Tab]] = {}

    def is_usable(self) -> bool:
        return not (self.is_retired or self.browser.connection.is_closed or self.browser.closing.is_set())

    def close_if_unused(self) -> None:
        if not self.used.total() and not self.is_usable():
            self.browser.closing.set()


class TabPool:
    """Lends tabs. `run` must run in a task of its own.

    Parameters:
        start: Starts a browser.
        options: What all tabs have in common.
        tabs: Maximum number of tabs that are lent at once.
    """

    def __init__(self, start: Start, options: TabOptions, tabs: int) -> None:
        self._start = start
        self._options = options
        self._limiter = trio.CapacityLimiter(tabs)
        self._starting = trio.Lock()
        self._member: _Member | None = None
        self._members: list[_Member] = []
        self._nursery: trio.Nursery

    @property
    def browsers(self) -> list[Chromium]:
        """The browsers that run: the one for new pages last, before it those that finish their pages."""
        self._members = [one for one in self._members if not one.browser.connection.is_closed]
        return [one.browser for one in self._members]

    @property
    def is_full(self) -> bool:
        """Whether a page would have to wait for a tab."""
        return self._limiter.available_tokens <= 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep browsers running until the task is cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def retire(self) -> None:
        """Replace the browser when its pages are finished."""
        if self._member is not None:
            self._member.is_retired = True
            self._member.close_if_unused()

    @asynccontextmanager
    async def tab(self, session: str) -> AsyncIterator[Tab]:
        """Lend a tab for one page. If the block raises or is cancelled, the tab is closed.

        Parameters:
            session: The session whose cookies it has.

        Raises:
            CommandFailed: The browser cannot open one.
            CrawlFailed: No browser can be started.
        """
        borrower = object()
        await self._limiter.acquire_on_behalf_of(borrower)
        try:
            member = await self._usable()
        except BaseException:
            self._limiter.release_on_behalf_of(borrower)
            raise
        member.used[session] += 1
        member.pages += 1
        member.is_retired = member.is_retired or member.pages >= PAGES_OF_BROWSER
        tab: Tab | None = None
        is_clean = False
        try:
            tab = await self._take(member, session)
            yield tab
            is_clean = not tab.is_gone and tab.pages < PAGES_OF_TAB and member.is_usable()
        finally:
            if tab is not None and is_clean:
                self._nursery.start_soon(self._clean, member, tab, session, borrower)
            else:
                if tab is not None:
                    tab.close()
                self._release(member, session, borrower)

    # ---- browsers and contexts ---------------------------------------------------------------------------------------

    async def _usable(self) -> _Member:
        async with self._starting:
            if self._member is None or not self._member.is_usable():
                if self._member is not None:
                    log.debug("a new browser is started after %d pages", self._member.pages)
                self._member = _Member(await self._started())
                self._members.append(self._member)
            return self._member

    async def _started(self) -> Chromium:
        """Return a new browser. A start may fail now and then, while memory is short."""
        for _ in range(STARTS - 1):
            try:
                return await self._start(self._nursery)
            except CrawlFailed as error:
                log.warning("%s; another start follows", error)
            await trio.sleep(START_PAUSE)
        return await self._start(self._nursery)

    async def _take(self, member: _Member, session: str) -> Tab:
        """Return an idle tab, or a new one."""
        idle = member.idle.get(session)
        while idle:
            tab = idle.pop()
            if not tab.is_gone:
                return tab
        context = member.contexts.get(session)
        if context is None:
            connection = member.browser.connection
            created: dict[str, Any] = await connection.call("Target.createBrowserContext", disposeOnDetach=True)
            context = created["browserContextId"]
            connection.post("Browser.setDownloadBehavior", behavior="deny", browserContextId=context)
            if session in member.contexts:  # another task was faster
                connection.post("Target.disposeBrowserContext", browserContextId=context)
                context = member.contexts[session]
            member.contexts[session] = context
            self._dispose_idle(member, session)
        member.contexts.move_to_end(session)
        return await Tab.open(member.browser.connection, context, self._options)

    def _dispose_idle(self, member: _Member, session: str) -> None:
        """Dispose of contexts that no tab uses, if there are too many."""
        for other in list(member.contexts):
            if len(member.contexts) <= MAX_CONTEXTS:
                return
            if other != session and not member.used[other]:
                for tab in member.idle.pop(other, ()):
                    tab.close()
                context = member.contexts.pop(other)
                member.browser.connection.post("Target.disposeBrowserContext", browserContextId=context)

    async def _clean(self, member: _Member, tab: Tab, session: str, borrower: object) -> None:
        """Empty a tab, and keep it for the next page of its session."""
        is_empty = False
        try:
            with trio.move_on_after(CLEANING):
                await tab.blank()
                is_empty = True
        except CommandFailed:
            pass
        finally:
            if is_empty and member.is_usable():
                member.idle.setdefault(session, []).append(tab)
            else:
                tab.close()
            self._release(member, session, borrower)

    def _release(self, member: _Member, session: str, borrower: object) -> None:
        member.used[session] -= 1
        member.close_if_unused()
        self._limiter.release_on_behalf_of(borrower)
