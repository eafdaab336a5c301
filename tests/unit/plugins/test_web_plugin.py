"""The options and the address of the web page."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio
from crawler_plugins.web import Web
from crawler_plugins.web.observer import Observer
from crawler_plugins.web.web_api import _Api
from crawler_plugins.web.web_guard import Guard
from starlette.responses import PlainTextResponse
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Response, Settings, Spider, crawl
from crawler.monitor import Snapshot
from crawler.testing import FakeSite, Page

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": -1}, "port must be"),
        ({"port": 70_000}, "port must be"),
        ({"token": "short"}, "at least 8 characters"),
        ({"token": "Schlüssel"}, "printable ASCII"),
        ({"token": "line\nbreak"}, "printable ASCII"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Web(**options)


@pytest.mark.parametrize("host", ["203.0.113.1", "nosuch.invalid"])
async def test_an_address_that_cannot_be_used_is_named(autojump_clock: MockClock, host: str) -> None:
    with pytest.raises((ConfigError, CrawlFailed), match=f"web: cannot listen on {host}:0: "):
        await crawl(One(), plugins=[Web(host=host)], transport=FakeSite({"/": "x"}).transport)


async def test_the_address_works_whatever_characters_the_token_has(monkeypatch: pytest.MonkeyPatch) -> None:
    token = 'a&b=c#d;"e, +\\%41'
    web = Web(token=token)
    web._listen().close()
    transport = httpx.ASGITransport(Guard(served, token, ["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/?" + web.address.partition("?")[2])).status_code == 303
        assert (await client.get("/")).text == "served"


async def served(scope, receive, send):
    await PlainTextResponse("served")(scope, receive, send)


@pytest.mark.parametrize(("port", "names"), [(80, {"127.0.0.1", "127.0.0.1:80"}), (8080, {"127.0.0.1:8080"})])
def test_clients_leave_the_port_of_http_out_of_host(port: int, names: set[str]) -> None:
    found = Web()._names(port)
    assert names <= found
    assert ("localhost" in found) == (port == 80)


async def test_clients_share_a_snapshot(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    class Counting(Observer):
        def snapshot(self, hosts: int) -> Snapshot:
            taken.append(hosts)
            return super().snapshot(hosts)

    async def serve(self, listening, ended, *, task_status):
        listening.close()
        task_status.started()
        api = _Api(self)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(watch, api)

    async def watch(api: _Api) -> None:
        response = await api.events(None)
        async with aclosing(response.body_iterator) as events:
            for _ in range(3):
                assert b'"pages"' in await anext(events)

    monkeypatch.setattr("crawler_plugins.web.web_plugin.Observer", Counting)
    monkeypatch.setattr(Web, "_serve", serve)
    await crawl(
        One(), settings=Settings(delay=5), plugins=[Web()], transport=FakeSite({"/": Page("x", delay=5)}).transport
    )
    assert 1 <= len([hosts for hosts in taken if hosts]) <= 6
