"""The web page of a crawl: its address, and its load."""

from __future__ import annotations

import os
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
import trio
from crawler_plugins.web.observer import Observer
from crawler_plugins.web.web_api import _Api
from crawler_plugins.web.web_plugin import Web
from crawler_plugins.web.web_server import WebServer
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Plugin, Response, Settings, Spider, crawl
from crawler.monitor import Snapshot
from crawler.testing import FakeSite, Page

HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


@pytest.mark.parametrize("host", ["203.0.113.1", "nosuch.invalid"])
async def test_an_address_that_cannot_be_used_is_named(autojump_clock: MockClock, host: str) -> None:
    with pytest.raises((ConfigError, CrawlFailed), match=f"web: cannot listen on {host}:0: "):
        await crawl(One(), plugins=[Web(host=host)], transport=FakeSite({"/": "x"}).transport)


async def test_clients_share_a_snapshot(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    class Counting(Observer):
        def snapshot(self, hosts: int) -> Snapshot:
            taken.append(hosts)
            return super().snapshot(hosts)

    web = Web()

    async def serve(self, app, listening, ended, *, task_status):
        listening.close()
        task_status.started()
        api = _Api(web)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(watch, api)

    async def watch(api: _Api) -> None:
        response = await api.events(None)
        async with aclosing(response.body_iterator) as events:
            for _ in range(3):
                assert b'"pages"' in await anext(events)

    monkeypatch.setattr("crawler_plugins.web.web_plugin.Observer", Counting)
    monkeypatch.setattr(WebServer, "_serve", serve)
    await crawl(
        One(), settings=Settings(delay=5), plugins=[web], transport=FakeSite({"/": Page("x", delay=5)}).transport
    )
    assert 1 <= len([hosts for hosts in taken if hosts]) <= 6


async def test_the_address_lies_in_the_folder_of_a_job_while_it_runs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    class Looks(Plugin):
        def parse(self, response: Response) -> None:
            path = tmp_path / "job" / "web-page"
            seen.append((path.read_text(), path.stat().st_mode & 0o777))

    @asynccontextmanager
    async def serving(self, app):
        yield "http://127.0.0.1:1/?token=x"

    monkeypatch.setattr(WebServer, "serving", serving)
    await crawl(One(), plugins=[Web(), Looks()], job=tmp_path / "job", transport=FakeSite({"/": "x"}).transport)
    assert seen == [(f"{os.getpid()} http://127.0.0.1:1/?token=x\n", 0o600)]
    assert not (tmp_path / "job" / "web-page").exists()
