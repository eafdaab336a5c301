"""`PageRenderer`: pages whose tabs crash, that wait, or that never end. `test_browser_plugin` has the others."""

from __future__ import annotations

import httpx
from support.fake_chromium import FakeBrowser
from trio.testing import MockClock
from unit.plugins.test_browser_plugin import APP, One, render, to

from crawler import Settings
from crawler.testing import FakeSite, Page, collect


async def test_a_page_whose_requests_are_held_back_for_long_is_put_off(autojump_clock: MockClock) -> None:
    limited = [Page("", 429, headers={"Retry-After": "3600"}), Page("<b>two</b>")]
    began = autojump_clock.current_time()
    [response], report, site, _ = await render({"/": APP, "/api": limited})
    assert response.css("b::text").get() == "two"
    assert autojump_clock.current_time() - began >= 3600
    assert (report.failed, len(site.visits("/api"))) == (0, 2)


async def test_a_page_whose_tab_crashes_is_rendered_again_and_fails_after_three_times(
    autojump_clock: MockClock,
) -> None:
    responses, report, site, plugin = await render({"/": "<p>\nCRASH"})
    assert responses == []
    assert report.kinds == {"request_error.browser_crash": 1}
    assert report.counters["browser/crashes"] == 3
    assert len(site.visits("/")) == 1
    assert not any(tab.is_open for tab in plugin.started[0].tabs.values())


async def test_no_page_is_lost_if_the_browser_is_killed(autojump_clock: MockClock) -> None:
    def kill(request: httpx.Request) -> str:
        if len(plugin.started) < 3:
            plugin.started[-1].kill()
        return "<b>x</b>"

    pages = {f"/{page}": f"<p>\nGET /api?{page}" for page in range(5)} | {"/api": kill}
    spider, plugin = One(*[to(f"/{page}") for page in range(5)]), FakeBrowser(tabs=2)
    collected = await collect(spider, FakeSite(pages), plugins=[plugin])
    assert len(plugin.started) == 3
    assert sorted(len(response.css("b")) for response in spider.responses) == [1] * 5
    assert collected.report.failed == 0


async def test_a_page_that_does_not_become_complete_fails_after_its_timeout(autojump_clock: MockClock) -> None:
    began = autojump_clock.current_time()
    _, report, _, plugin = await render({"/": "<p>x"}, to(wait="#never", timeout=20))
    assert report.kinds == {"request_error.browser_timeout": 1}
    assert 20 <= autojump_clock.current_time() - began < 25
    assert not any(tab.is_open for tab in plugin.started[0].tabs.values())


async def test_a_page_that_never_loads_is_taken_as_it_is_after_ten_seconds(autojump_clock: MockClock) -> None:
    began = autojump_clock.current_time()
    [response], _, _, _ = await render({"/": "<b>x</b>\nHANG"})
    assert response.css("b::text").get() == "x"
    assert 10 <= autojump_clock.current_time() - began < 11


async def test_time_in_which_limits_hold_a_page_back_does_not_count(autojump_clock: MockClock) -> None:
    requests = "".join(f"GET /api?{number}\n" for number in range(5))
    pages = {"/": f"<p>\n{requests}", "/api": "<b>x</b>"}
    [response], _, _, _ = await render(pages, to(timeout=3), settings=Settings(delay=5.0))
    assert len(response.css("b")) == 5


async def test_a_script_that_fails_fails_the_page(autojump_clock: MockClock) -> None:
    _, report, _, _ = await render({"/": "<p>x"}, to(actions=["evaluate throw 1"]))
    assert report.kinds == {"request_error.browser_script": 1}


async def test_a_document_that_is_too_large_fails(autojump_clock: MockClock) -> None:
    pages = {"/": "<p>\nGET /api", "/api": "x" * 900}
    _, report, _, _ = await render(pages, settings=Settings(max_body=900))
    assert report.failures == {"body_too_large": 1}
