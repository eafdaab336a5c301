"""`TabPool`."""

from __future__ import annotations

import pytest
import trio
from crawler_plugins.browser import tab_pool
from crawler_plugins.browser.cdp import Connection
from crawler_plugins.browser.chromium import Chromium
from crawler_plugins.browser.tab import TabOptions
from crawler_plugins.browser.tab_pool import TabPool
from support.fake_chromium import FakeChromium
from trio.testing import MockClock

from crawler import CrawlFailed

OPTIONS = TabOptions(user_agent="test", locale="", viewport=(800, 600))


class Starter:
    """Starts browsers in memory."""

    def __init__(self, fails: int = 0) -> None:
        self.peers: list[FakeChromium] = []
        self.browsers: list[Chromium] = []
        self.fails = fails

    async def __call__(self, nursery: trio.Nursery) -> Chromium:
        await trio.lowlevel.checkpoint()
        if self.fails:
            self.fails -= 1
            raise CrawlFailed("it does not start")
        self.peers.append(FakeChromium())
        self.browsers.append(Chromium(Connection(self.peers[-1]), 0, "Fake/1"))
        nursery.start_soon(self.browsers[-1].connection.run)
        return self.browsers[-1]


async def pool_of(nursery: trio.Nursery, starter: Starter, tabs: int = 1) -> TabPool:
    pool = TabPool(starter, OPTIONS, tabs)
    await nursery.start(pool.run)
    return pool


async def visit(pool: TabPool, session: str = "", seconds: float = 0.0) -> str:
    async with pool.tab(session) as tab:
        tab.pages += 1
        await trio.sleep(seconds)
        return tab.target


async def test_a_tab_is_used_for_many_pages_and_emptied_between_them(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab_pool, "PAGES_OF_TAB", 3)
    starter = Starter()
    pool = await pool_of(nursery, starter)
    assert pool.browsers == []
    targets = [await visit(pool) for _ in range(4)]
    assert targets[0] == targets[1] == targets[2] != targets[3]
    assert pool.browsers == starter.browsers
    await trio.sleep(1)
    assert starter.peers[0].commands("Page.navigate") == [{"url": "about:blank"}] * 3


async def test_no_more_tabs_are_lent_than_allowed(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    pool = await pool_of(nursery, Starter(), tabs=2)
    began = trio.current_time()
    async with trio.open_nursery() as visits:
        for _ in range(4):
            visits.start_soon(visit, pool, "", 1.0)
    assert trio.current_time() - began == pytest.approx(2.0)


async def test_a_tab_is_closed_after_an_error_or_a_cancellation(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    starter = Starter()
    pool = await pool_of(nursery, starter)
    with pytest.raises(ValueError, match="page"):
        async with pool.tab(""):
            raise ValueError("page")
    with trio.move_on_after(1):
        await visit(pool, "", 100.0)
    assert await visit(pool)
    await trio.sleep(1)
    assert [tab.is_open for tab in starter.peers[0].tabs.values()] == [False, False, True]


async def test_a_tab_that_cannot_be_emptied_is_closed(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    starter = Starter()
    pool = await pool_of(nursery, starter)
    await visit(pool)
    starter.peers[0].rejected["Page.navigate"] = "stuck"
    await visit(pool)
    await visit(pool)
    assert len(starter.peers[0].tabs) >= 2


async def test_a_browser_is_replaced_after_some_pages_and_closed_after_the_last_of_them(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab_pool, "PAGES_OF_BROWSER", 2)
    starter = Starter()
    pool = await pool_of(nursery, starter, tabs=3)
    async with trio.open_nursery() as visits:
        visits.start_soon(visit, pool, "", 10.0)
        await trio.sleep(1)
        await visit(pool)
        await visit(pool)
        assert len(starter.browsers) == 2
        assert not starter.browsers[0].closing.is_set()
    assert starter.browsers[0].closing.is_set()
    assert not starter.browsers[1].closing.is_set()


async def test_a_browser_that_is_retired_or_killed_is_replaced(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    starter = Starter()
    pool = await pool_of(nursery, starter)
    pool.retire()
    await visit(pool)
    await trio.sleep(1)
    pool.retire()
    assert starter.browsers[0].closing.is_set()
    await visit(pool)
    starter.peers[1].kill()
    await trio.sleep(1)
    assert pool.browsers == starter.browsers[:1], "it has been asked to close, but has not ended"
    await visit(pool)
    assert len(starter.browsers) == 3


async def test_contexts_of_idle_sessions_are_disposed_of(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab_pool, "MAX_CONTEXTS", 2)
    starter = Starter()
    pool = await pool_of(nursery, starter, tabs=2)
    async with pool.tab("busy"):
        for session in ("a", "b", "c"):
            await visit(pool, session)
            await trio.sleep(1)
    disposed = [params["browserContextId"] for params in starter.peers[0].commands("Target.disposeBrowserContext")]
    assert disposed == ["context 3", "context 5"], "those of a and b, not the busy one"


async def test_a_start_that_fails_is_repeated_twice(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    assert await visit(await pool_of(nursery, Starter(fails=2)))
    pool = await pool_of(nursery, Starter(fails=4))
    with pytest.raises(CrawlFailed, match="it does not start"):
        await visit(pool)
    assert await visit(pool), "the tab of the failure is free again"
