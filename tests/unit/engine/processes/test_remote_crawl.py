"""`RemoteCrawl` has what a crawl has; `tests/crawl/test_processes.py` uses it."""

from __future__ import annotations

import inspect

import pytest

from crawler import Settings, Spider
from crawler.engine.processes.remote_crawl import REFUSED, RemoteCrawl
from crawler.hooks.crawl import Crawl, CrawlControl, CrawlCookies, CrawlJob


@pytest.fixture
async def crawl() -> RemoteCrawl:
    return RemoteCrawl(Spider(), [], Settings(), None, None)  # type: ignore[arg-type]


def names_of(kind: type) -> set[str]:
    """Return the public members of a protocol."""
    return {name for name in vars(kind) if not name.startswith("_")}


async def test_every_member_of_a_crawl_is_there(crawl: RemoteCrawl) -> None:
    there = names_of(RemoteCrawl) | vars(crawl).keys()
    assert names_of(Crawl) <= there


@pytest.mark.parametrize(("part", "kind"), [("control", CrawlControl), ("job", CrawlJob), ("cookies", CrawlCookies)])
async def test_every_method_of_a_part_asks_the_first_process_or_is_refused(
    crawl: RemoteCrawl, monkeypatch: pytest.MonkeyPatch, part: str, kind: type
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(crawl, "ask", lambda name, *_, **__: asked.append(name))
    refused, expected = REFUSED.get(part, {}), []
    for name in sorted(names_of(kind) - {"retries"}):  # a policy is made here: it belongs to the settings
        value = getattr(getattr(crawl, part), name)
        if name in refused:
            with pytest.raises(RuntimeError, match=rf"crawl\.{part}\.{name}\(\) cannot be used in a callback"):
                value()
            continue
        if inspect.isfunction(vars(kind)[name]):
            value()
        expected.append(f"{part}.{name}")
    assert asked == expected


async def test_a_member_that_no_crawl_has_is_an_attribute_error(crawl: RemoteCrawl) -> None:
    with pytest.raises(AttributeError, match="quit"):
        crawl.quit()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="quit"):
        crawl.control.quit()
