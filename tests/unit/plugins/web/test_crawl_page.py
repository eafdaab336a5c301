"""Two servers at once, over real HTTP: one door to each, and nothing of it for any other server of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
import trio
from crawler_plugins.web.crawl_page import CrawlPage
from crawler_plugins.web.jobs_api import make_jobs_app
from crawler_plugins.web.web_server import WebServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from unit.plugins.web.test_job_folders import job
from unit.plugins.web.test_job_server import Server

from crawler import ConfigError


class Crawl:
    """The web page of a crawl, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.gone = trio.Event()
        self.app = Starlette(
            routes=[
                Route("/api/snapshot", self.answer),
                Route("/api/pause", self.answer, methods=["POST"]),
                Route("/api/events", self.events),
            ]
        )

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.method, str(request.query_params), await request.body()))
        return Response(b'{"pages": 3}', media_type="application/json")

    async def events(self, request: Request) -> Response:
        async def stream() -> Any:
            try:
                while True:
                    yield b"data: {}\n\n"
                    await trio.sleep(0.01)
            finally:
                self.gone.set()

        return StreamingResponse(stream(), media_type="text/event-stream")


class Page:
    """A browser tab: cookies know hosts but no ports, and the token stays in the tab."""

    def __init__(self, cookies: httpx.Cookies, address: str) -> None:
        self.url, _, self.token = address.partition("/?token=")
        self.http = httpx.AsyncClient(trust_env=False, cookies=cookies)

    async def get(self, path: str, *, with_token: bool = True) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if with_token else {}
        return await self.http.get(f"{self.url}{path}", headers=headers)


async def test_two_pages_in_one_browser_stay_open_and_others_on_the_machine_learn_no_token() -> None:
    seen: list[httpx.Headers] = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        seen.append(httpx.Headers(scope["headers"]))
        await Response("x")(scope, receive, send)

    cookies = httpx.Cookies()
    async with AsyncExitStack() as stack:
        serve = stack.enter_async_context
        one, two = [await serve(WebServer("127.0.0.1", 0, "").serving(Crawl().app)) for _ in range(2)]
        third = await serve(WebServer("127.0.0.1", 0, "").serving(other))
        first = await serve(Page(cookies, one).http)
        for address in (one, two, third):
            await first.get(address)
        assert len([name for name in first.cookies if name.startswith("crawler_page_")]) == 3
        pages = [Page(first.cookies, address) for address in (one, two)]
        for page in pages:
            await serve(page.http)
        for _ in range(2):
            for page in pages:
                assert (await page.get("/api/snapshot")).json() == {"pages": 3}
        await first.get(third)
        assert seen
        sent = seen[-1]
        for page in pages:
            assert page.token not in str(sent.raw)
            stolen = {"Cookie": sent["cookie"]}
            answer = await first.get(f"{page.url}/api/snapshot", headers=stolen)
            assert answer.status_code == 403, "what another server gets opens no data"


async def test_serve_is_the_one_door_to_the_page_of_a_crawl(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crawl = Crawl()
    server = Server(tmp_path)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(WebServer("127.0.0.1", 0, "").serving(crawl.app))
        monkeypatch.setattr(server.jobs, "page", pages({"a b": address}))
        door = await stack.enter_async_context(WebServer("127.0.0.1", 0, "").serving(make_jobs_app(server.jobs)))
        tab = Page(httpx.Cookies(), door)
        await stack.enter_async_context(tab.http)
        shell = await tab.http.get(f"{tab.url}/crawl/a%20b/?token={tab.token}")
        assert "/static/app.js" in shell.text
        assert (await tab.get("/crawl/a%20b/api/snapshot?hosts=1&token=x")).json() == {"pages": 3}
        assert crawl.asked.pop() == ("GET", "hosts=1", b"")
        assert (await tab.get("/crawl/a%20b/api/snapshot", with_token=False)).status_code == 403
        known = {"Authorization": f"Bearer {tab.token}"}
        await tab.http.post(f"{tab.url}/crawl/a%20b/api/pause", content=b"{}", headers=known)
        assert crawl.asked.pop() == ("POST", "", b"{}")
        assert (await tab.get("/crawl/a%20b/api/none")).status_code == 404
        assert (await tab.get("/crawl/none/api/snapshot")).json() == {"error": "none has no web page"}
        with trio.fail_after(5):
            async with await trio.open_tcp_stream("127.0.0.1", httpx.URL(tab.url).port or 0) as events:
                host = tab.url.removeprefix("http://")
                target = f"/crawl/a%20b/api/events?token={tab.token}"
                await events.send_all(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                read = b""
                while b"data: {}\n\n" not in read:
                    read += await events.receive_some()
                assert b"content-type: text/event-stream" in read
            await crawl.gone.wait()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_of({"a b": "http://127.0.0.1:9/?token=x"}))) as http:
        gone = await http.get("http://127.0.0.1/crawl/a%20b/api/snapshot")
        assert (gone.status_code, "has ended" in gone.text) == (502, True)


def pages(addresses: dict[str, str]) -> Callable[[str], str]:
    def page(name: str) -> str:
        if name not in addresses:
            raise ConfigError(f"{name} has no web page")
        return addresses[name]

    return page


def app_of(addresses: dict[str, str]) -> Starlette:
    return Starlette(routes=[Route("/crawl/{name:path}/api/{call}", CrawlPage(pages(addresses)))])


async def test_the_address_of_a_crawl_with_its_token_stays_in_the_server(tmp_path: Any) -> None:
    server = Server(tmp_path)
    folder = await job(tmp_path / "jobs" / "one", max_pages=1)
    with pytest.raises(ConfigError, match="one has no web page"):
        server.jobs.page("one")
    (folder / "web-page").write_text(f"{os.getpid()} http://127.0.0.1:1/?token=secret-of-the-crawl\n")
    server.jobs._running[folder] = SimpleNamespace(number=os.getpid())
    assert server.jobs.page("one") == "http://127.0.0.1:1/?token=secret-of-the-crawl"
    [entry] = server.jobs.jobs()
    assert entry.page == "/crawl/one/"
    assert b"secret-of-the-crawl" not in msgspec.json.encode(entry)
