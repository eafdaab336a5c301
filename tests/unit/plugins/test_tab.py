"""`Tab`."""

from __future__ import annotations

import logging

import pytest
import trio
from crawler_plugins.browser.cdp import CommandFailed, Connection, Disconnected
from crawler_plugins.browser.tab import Paused, ScriptFailed, Tab, TabOptions
from support.fake_chromium import FakeChromium
from trio.testing import MockClock

OPTIONS = TabOptions(user_agent="test", locale="de", viewport=(800, 600))


@pytest.fixture
def peer() -> FakeChromium:
    return FakeChromium()


@pytest.fixture
async def tab(nursery: trio.Nursery, peer: FakeChromium) -> Tab:
    connection = Connection(peer)
    nursery.start_soon(connection.run)
    context = await connection.call("Target.createBrowserContext")
    return await Tab.open(connection, context["browserContextId"], OPTIONS)


async def test_a_tab_is_set_up_before_its_first_page(tab: Tab, peer: FakeChromium) -> None:
    [agent] = peer.commands("Emulation.setUserAgentOverride")
    assert agent == {"userAgent": "test", "acceptLanguage": "de"}
    assert peer.commands("Fetch.enable") == [{"patterns": [{"urlPattern": "*"}]}]
    assert peer.commands("Runtime.enable") == [], "the console costs time, so it is read for the debug log only"


async def test_the_console_is_logged_at_debug(tab: Tab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with tab.page(trio.open_memory_channel[Paused](1)[0]):
        for _ in range(300):
            tab.handle("Runtime.consoleAPICalled", {"type": "log", "args": [{"value": "hello"}]})
    tab.handle("Runtime.exceptionThrown", {"exceptionDetails": {"exception": {"description": "Error: no\nat 1"}}})
    lines = [record.message for record in caplog.records if "console" in record.message]
    assert lines == ["console: log: hello"] * 100


async def test_a_dialog_is_answered_at_once(tab: Tab, peer: FakeChromium) -> None:
    for kind in ("alert", "confirm", "beforeunload", "prompt"):
        tab.handle("Page.javascriptDialogOpening", {"type": kind})
    await tab.call("Page.enable")
    answers = [params["accept"] for params in peer.commands("Page.handleJavaScriptDialog")]
    assert answers == [True, True, True, False]


async def test_a_crash_fails_the_waiting_calls(tab: Tab, autojump_clock: MockClock) -> None:
    async def crash() -> None:
        await trio.sleep(1)
        tab.handle("Inspector.targetCrashed", {})

    with pytest.RaisesGroup(Disconnected):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash)
            await tab.wait_for_change(float("inf"))
    with pytest.raises(Disconnected):
        await tab.call("Page.enable")
    with pytest.raises(Disconnected):
        await tab.wait_for_change(float("inf"))


async def test_requests_outside_of_a_page_fail(tab: Tab, peer: FakeChromium) -> None:
    event = {"requestId": "1", "request": {"url": "https://site.test/"}}
    tab.handle("Fetch.requestPaused", event)
    send, receive = trio.open_memory_channel[Paused](1)
    with tab.page(send):
        tab.handle("Fetch.requestPaused", event)
        assert tab.requests == 1
    assert receive.receive_nowait().event is event
    await tab.call("Page.enable")
    assert peer.commands("Fetch.failRequest") == [{"requestId": "1", "errorReason": "Aborted"}]


async def test_requests_of_workers_are_those_of_the_page(tab: Tab, peer: FakeChromium) -> None:
    tab.handle("Target.attachedToTarget", {"sessionId": "worker"})
    send, receive = trio.open_memory_channel[Paused](1)
    with tab.page(send):
        peer.event("worker", "Fetch.requestPaused", requestId="1")
        assert (await receive.receive()).session == "worker"
    peer.rejected["Runtime.evaluate"] = "it has ended"
    await tab.wait_for_workers()
    tab.handle("Target.detachedFromTarget", {"sessionId": "worker"})
    await tab.wait_for_workers()
    assert len(peer.commands("Runtime.evaluate")) == 1


async def test_a_script_is_repeated_if_the_page_was_replaced(
    tab: Tab, peer: FakeChromium, autojump_clock: MockClock
) -> None:
    peer.rejected["Page.createIsolatedWorld"] = "No frame for given id found"
    with pytest.raises(CommandFailed, match="No frame"):
        await tab.evaluate("1")
    assert len(peer.commands("Page.createIsolatedWorld")) == 6
    del peer.rejected["Page.createIsolatedWorld"]
    assert await tab.evaluate("1") is True
    peer.rejected["Runtime.evaluate"] = "no memory"
    with pytest.raises(CommandFailed, match="no memory"):
        await tab.evaluate("1")


async def test_an_exception_of_a_script_is_named_by_its_first_line(tab: Tab) -> None:
    with pytest.raises(ScriptFailed, match="^Error: no$"):
        await tab.evaluate("throw 1", as_page=True)
