"""The plugin `cache`: what was fetched once is not fetched again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crawler_plugins.archive.cache import Cache
from support.walls import CHALLENGE
from trio.testing import MockClock

from crawler import ConfigError, Request, Response, Settings, Spider
from crawler.hooks.load import construct
from crawler.testing import FakeSite, Page, collect

PAGES: dict[str, Any] = {
    "/": "<a href='/a'>x</a><a href='/moved'>x</a><a href='/gone'>x</a><a href='/busy'>x</a>",
    "/a": "<p>a</p>",
    "/moved": Page("", 301, headers={"Location": "/target"}),
    "/target": "<p>target</p>",
    "/gone": Page("gone", 404),
    "/busy": Page("busy", 503),
    "/form": [Page({"n": 1}), Page({"n": 2})],
    "/robots.txt": Page("User-agent: *\nAllow: /", headers={"Content-Type": "text/plain"}),
}


class Everything(Spider):
    start_urls = ["https://site.test/"]
    accept_status = (404, 503)
    settings = Settings(per_host=1)

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"url": response.url, "status": response.status, "fields": response.headers.pairs, "text": response.text}
        yield from response.follow_all()
        if response.depth == 0:
            yield Request("https://site.test/form", method="POST", body=b"a=1")
            yield Request("https://site.test/form", method="POST", body=b"a=2")


class Other(Everything):
    pass


async def test_a_second_run_sends_only_requests_without_a_kept_response(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path, site = tmp_path / "cache.sqlite", FakeSite(PAGES)
    first = await collect(Everything(), site, plugins=[Cache(path)])
    again = await collect(Everything(), rest := FakeSite({"/busy": Page("busy", 503)}), plugins=[Cache(path)])
    assert sorted(map(str, again.items)) == sorted(map(str, first.items))
    assert [path for path in PAGES if rest.visits(path)] == ["/busy"]
    assert again.report.counters["cached"] == 8


async def test_each_spider_has_its_own_cache_and_old_responses_are_fetched_again(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path, site = tmp_path / "cache.sqlite", FakeSite({"/": "x"})
    settings = Settings(obey_robots=False)
    for spider, max_age in ((Everything(), None), (Other(), None), (Other(), None), (Other(), 1e-9)):
        await collect(spider, site, plugins=[Cache(path, max_age=max_age)], settings=settings)
    assert len(site.visits("/")) == 3


async def test_a_body_that_was_written_elsewhere_is_not_kept_as_empty(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Writer:
        def __init__(self) -> None:
            self.data = b""

        async def write(self, data: bytes) -> None:
            self.data += data

    class Downloads(Spider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)

        async def parse(self, response: Response) -> Any:
            writer = Writer()

            async def receive(_: Response) -> Writer:
                return writer

            await self.crawl.fetch(Request("https://site.test/file"), receive=receive)
            return {"data": writer.data.decode()}

    site, path = FakeSite({"/": "x", "/file": "content"}), tmp_path / "cache.sqlite"
    for _ in range(2):
        found = await collect(Downloads(), site, plugins=[Cache(path)])
        assert found.items == [{"data": "content"}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "missing/x"}, "no such folder"),
        ({"ignore_statuses": "42"}, "from 100 to 599"),
        ({"max_age": "0"}, "above 0 seconds"),
    ],
)
def test_bad_options_are_refused_before_the_crawl(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        construct(Cache, options, what="plugin cache")


@pytest.mark.parametrize("status", [200, 403])
async def test_a_wall_is_not_kept_so_that_the_page_can_come_later(
    autojump_clock: MockClock, tmp_path: Path, status: int
) -> None:
    path, site = tmp_path / "cache.sqlite", FakeSite({"/": [Page(CHALLENGE, status), Page("the page")]})
    runs = [await collect(Everything(), site, plugins=[Cache(path)]) for _ in range(3)]
    assert [run.report.filtered.get("wall.challenge", 0) for run in runs] == [1, 0, 0]
    texts = [[item["text"] for item in run.items if item["url"] == "https://site.test/"] for run in runs]
    assert texts == [[], ["the page"], ["the page"]]
    assert len(site.visits("/")) == 2


async def test_a_wall_that_an_older_version_has_kept_is_fetched_again(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, site = tmp_path / "cache.sqlite", FakeSite({"/": [CHALLENGE, "the page"]})
    with monkeypatch.context() as patch:
        patch.setattr(Response, "wall", None)
        await collect(Everything(), site, plugins=[Cache(path)])
    found = await collect(Everything(), site, plugins=[Cache(path)])
    assert [item["text"] for item in found.items if item["url"] == "https://site.test/"] == ["the page"]
