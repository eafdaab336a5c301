"""The plugin `http_cache`: responses are used again as their servers allow it (RFC 9111)."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawler_plugins.archive.http_cache import HttpCache
from support.walls import CHALLENGE
from trio.testing import MockClock

from crawler import ConfigError, Response, Settings, Spider
from crawler.hooks.load import construct
from crawler.testing import FakeSite, Page, collect

OLD = formatdate(0, usegmt=True)


class One(Spider):
    start_urls = ["https://site.test/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> Any:
        return {"text": response.text, "status": response.status}


def page(body: str, **fields: str) -> Page:
    now = formatdate(usegmt=True)
    return Page(body, headers={"Date": now} | {name.replace("_", "-"): value for name, value in fields.items()})


@pytest.fixture
def crawled(autojump_clock: MockClock, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that crawls a page in several runs, and returns the texts and the visits."""

    async def crawled(answer: Any, runs: int = 2, **options: Any) -> tuple[list[Any], list[Any], Any]:
        site, items = FakeSite({"/": answer}), []
        for _ in range(runs):
            found = await collect(One(), site, plugins=[HttpCache(tmp_path / "x.sqlite", **options)])
            items += found.items
        assert {item["status"] for item in items} == {200}
        return [item["text"] for item in items], site.visits("/"), found.report

    return crawled


async def test_a_fresh_response_is_not_fetched_again(crawled: Any) -> None:
    texts, visits, report = await crawled([page("one", Cache_Control="max-age=3600"), page("two")])
    assert texts == ["one", "one"]
    assert len(visits) == 1
    assert report.counters["cached"] == 1


@pytest.mark.parametrize("control", ["no-store", "max-age=0", "no-cache"])
async def test_a_response_that_must_not_be_reused_is_fetched_again(crawled: Any, control: str) -> None:
    texts, visits, _ = await crawled([page("one", Cache_Control=control), page("two", Cache_Control=control)])
    assert texts == ["one", "two"]
    assert len(visits) == 2


@pytest.mark.parametrize(
    ("validator", "condition"),
    [({"ETag": '"v1"'}, ("if-none-match", '"v1"')), ({"Last_Modified": OLD}, ("if-modified-since", OLD))],
)
async def test_an_unchanged_page_is_validated_without_its_body(
    crawled: Any, validator: dict[str, str], condition: tuple[str, str]
) -> None:
    name, value = condition

    def answer(request: httpx.Request) -> Page:
        if request.headers.get(name) == value:
            return Page("", 304, headers={key.replace("_", "-"): text for key, text in validator.items()})
        return page("one", Cache_Control="no-cache", **validator)

    texts, visits, report = await crawled(answer, runs=3)
    assert texts == ["one"] * 3
    assert [visit.headers.get(name) for visit in visits] == [None, value, value]
    assert report.counters["validated"] == 1


async def test_a_changed_page_replaces_the_stored_one(crawled: Any) -> None:
    first = page("one", Cache_Control="no-cache", ETag='"v1"')
    second = page("two", Cache_Control="max-age=3600", ETag='"v2"')
    texts, visits, _ = await crawled([first, second], runs=3)
    assert texts == ["one", "two", "two"]
    assert len(visits) == 2


@pytest.mark.parametrize("vary", ["Cookie", "*", "Accept, cookie"])
async def test_a_response_that_varies_by_cookies_is_not_kept(crawled: Any, vary: str) -> None:
    texts, _, _ = await crawled([page("one", Cache_Control="max-age=3600", Vary=vary), page("two")])
    assert texts == ["one", "two"]


async def test_a_stale_response_is_used_if_that_is_wanted(crawled: Any) -> None:
    stale = Page("one", headers={"Date": OLD, "Cache-Control": "max-age=1"})
    texts, _, _ = await crawled([stale, page("two")], allow_stale=True)
    assert texts == ["one", "one"]


async def test_conditions_do_not_follow_a_redirect(autojump_clock: MockClock, tmp_path: Path) -> None:
    first = page("one", Cache_Control="no-cache", ETag='"v1"')
    site = FakeSite({"/": [first, Page("", 302, headers={"Location": "/b"})], "/b": "two"})
    for _ in range(2):
        await collect(One(), site, plugins=[HttpCache(tmp_path / "x.sqlite")])
    assert [visit.headers.get("if-none-match") for visit in (*site.visits("/"), *site.visits("/b"))] == [
        None, '"v1"', None,
    ]  # fmt: skip


def test_a_missing_folder_is_refused_before_the_crawl() -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        construct(HttpCache, {"path": "missing/x"}, what="plugin http_cache")


async def test_a_wall_is_not_kept_so_that_the_page_can_come_later(autojump_clock: MockClock, tmp_path: Path) -> None:
    fresh = {"Cache_Control": "max-age=3600"}
    site = FakeSite({"/": [page(CHALLENGE, **fresh), page("the page", **fresh)]})
    runs = [await collect(One(), site, plugins=[HttpCache(tmp_path / "x.sqlite")]) for _ in range(3)]
    assert [run.report.filtered.get("wall.challenge", 0) for run in runs] == [1, 0, 0]
    assert [[item["text"] for item in run.items] for run in runs] == [[], ["the page"], ["the page"]]
    assert len(site.visits("/")) == 2
