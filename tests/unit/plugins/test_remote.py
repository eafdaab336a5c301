"""`run_remote`, with a browser in memory behind a WebSocket on loopback."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from crawler_plugins.browser import Browser, remote
from crawler_plugins.browser.chromium import Chromium
from crawler_plugins.browser.remote import check_url, run_remote
from support.fake_chromium import FakeChromium
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from crawler import ConfigError, CrawlFailed, Response, Settings, Spider, crawl
from crawler.testing import FakeSite


async def serve(peer: FakeChromium, nursery: trio.Nursery) -> str:
    """Serve a browser in memory, and return its address."""

    async def handle(request: WebSocketRequest) -> None:
        if request.path != "/devtools":
            await request.reject(404)
            return
        socket = await request.accept()
        async with trio.open_nursery() as inner:

            async def answer() -> None:
                while (message := await peer.receive()) is not None:
                    await socket.send_message(message.decode())
                await socket.aclose()

            inner.start_soon(answer)
            try:
                while True:
                    await peer.send((await socket.get_message()).encode())
            except ConnectionClosed:
                inner.cancel_scope.cancel()

    server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, ssl_context=None))
    return f"ws://127.0.0.1:{server.port}/devtools"


async def test_pages_are_rendered_elsewhere(nursery: trio.Nursery) -> None:
    class One(Spider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)

        def parse(self, response: Response) -> None:
            found.append(response.css("b::text").get())

    found: list[str | None] = []
    peer = FakeChromium()
    site = FakeSite({"/": "<p>\nGET /api", "/api": "<b>two</b>"})
    with trio.fail_after(20):
        plugin = Browser(url=await serve(peer, nursery), executable="no-such-program")
        report = await crawl(One(), plugins=[plugin], transport=site.transport)
    assert (found, report.failed) == (["two"], 0)
    assert peer.commands("Browser.close") == [], "others may use it"
    assert [params["disposeOnDetach"] for params in peer.commands("Target.createBrowserContext")] == [True]


async def test_the_end_of_a_remote_browser_is_noticed(nursery: trio.Nursery) -> None:
    peer = FakeChromium()
    with trio.fail_after(20):
        browser: Chromium = await nursery.start(run_remote, await serve(peer, nursery))
        assert browser.version == "Fake/1"
        peer.kill()
        await browser.closing.wait()
    assert browser.connection.is_closed


async def test_a_browser_that_does_not_answer_is_named_without_its_secrets(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await serve(FakeChromium(), nursery)
    with pytest.raises(CrawlFailed, match=r"no browser answers at 127\.0\.0\.1: it refuses") as caught:
        await run_remote(f"{url}-secret")
    assert "secret" not in str(caught.value)
    peer = FakeChromium()
    peer.rejected["Browser.getVersion"] = "not allowed"
    with pytest.raises(CrawlFailed, match="not allowed"):
        await run_remote(await serve(peer, nursery))
    with pytest.raises(CrawlFailed, match="all attempts to connect"):
        await run_remote("ws://127.0.0.1:9/")
    monkeypatch.setattr(remote, "CONNECT_SECONDS", 0.0)
    with pytest.raises(CrawlFailed, match="TooSlowError"):
        await run_remote(url)


@pytest.mark.parametrize("url", ["http://host:9222/", "ws://", "host", "ws://host:x/", "ws://host:0/"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url must be like ws://"):
        check_url(url)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'trio-crawler\[browser\]'"):
        check_url("ws://host/")
