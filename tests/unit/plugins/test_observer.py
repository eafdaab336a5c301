"""What the web page keeps, in bounded memory."""

from __future__ import annotations

import pytest
from crawler_plugins.web import Web
from crawler_plugins.web.observer import MAX_FAILURES, MAX_ITEMS, MAX_LINKS, MAX_PAGES, POINTS, Observer
from trio.testing import MockClock

from crawler import Response, Settings, Spider, crawl
from crawler.testing import FakeSite

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time and sockets do not mix."""

    async def serve(self, listening, ended, *, task_status):
        listening.close()
        task_status.started()

    monkeypatch.setattr(Web, "_serve", serve)


async def test_memory_is_bounded(autojump_clock: MockClock) -> None:
    web = Web(token=TOKEN)
    await crawl(One(), plugins=[web], transport=FakeSite({"/": "x"}).transport)
    observer: Observer = web.observer
    response = Response(f"{HOST}/", 200, [], b"x")
    for n in range(MAX_LINKS + 5):
        observer.note_request(response.follow(f"/{n}"))
    for _ in range(MAX_PAGES + 5):
        observer.note_page(response)
        observer.note_item({f"field {len(observer.items)}": object()}, response)
    for _ in range(3 * POINTS):
        observer._drawn = 0.0
        observer.snapshot(0)
    assert (len(observer.pages), len(observer.items), len(observer._found_on)) == (MAX_PAGES, MAX_ITEMS, MAX_LINKS)
    assert len(observer.points) <= POINTS
    assert len(observer._requests) <= MAX_FAILURES
