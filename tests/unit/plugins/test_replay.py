"""The plugin `replay`: a crawl of an archive gives what the crawl of the site gave, and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from crawler_plugins.archive.replay import Replay
from crawler_plugins.archive.warc import Warc
from support.walls import CHALLENGE
from trio.testing import MockClock

from crawler import ConfigError, Failure, Request, Response, Settings, Spider
from crawler.hooks.load import construct
from crawler.testing import FakeSite, Page, collect

PAGES: dict[str, Any] = {
    "/": "".join(f"<a href='/{name}'>x</a>" for name in ("a", "b", "moved", "gone", "private", "flaky", "down")),
    "/a": "<p>the same page</p>",
    "/b": "<p>the same page</p>",
    "/moved": Page("", 301, headers={"Location": "/target"}),
    "/target": Page("<p>target</p>", headers=[("X-Two", "1"), ("X-Two", "2")]),
    "/gone": Page("not here", 404),
    "/flaky": [Page("", 503), "<p>works</p>"],
    "/down": httpx.ReadError("reset"),
    "/form": [Page({"n": 1}), Page({"n": 2})],
    "/robots.txt": Page("User-agent: *\nDisallow: /private", headers={"Content-Type": "text/plain"}),
}


class Everything(Spider):
    start_urls = ["https://site.test/"]
    accept_status = (404,)
    settings = Settings(per_host=1, slow_start=False, attempts=2)

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"url": response.url, "status": response.status, "fields": response.headers.pairs, "text": response.text}
        for request in response.follow_all():
            yield request.replace(errback="failed_page")
        if response.request.depth == 0:
            yield Request("https://site.test/form", method="POST", body=b"a=1")
            yield Request("https://site.test/form", method="POST", body=b"a=2")

    def failed_page(self, failure: Failure) -> Iterator[Any]:
        yield {"failed": failure.request.url, "reason": failure.reason}


class NoNetwork(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was sent")


async def items(plugin: Any, site: Any) -> tuple[list[bytes], Any]:
    found = await collect(Everything(), site, plugins=[plugin])
    return sorted(msgspec.json.encode(item) for item in found.items), found.report


@pytest.mark.parametrize("ending", [".warc", ".warc.gz", ".warc.zst"])
@pytest.mark.parametrize("max_size", [1, 1_000_000])
async def test_an_archived_site_yields_the_same_items_without_a_network(
    autojump_clock: MockClock, tmp_path: Path, ending: str, max_size: int
) -> None:
    path = tmp_path / f"site{ending}"
    first, report = await items(Warc(path, max_size=max_size), FakeSite(PAGES))
    again, replayed = await items(Replay([path]), NoNetwork())
    assert again == first
    assert len(first) == 10
    assert replayed.failures == report.failures
    assert replayed.filtered == report.filtered
    assert replayed.requests == 0


async def test_a_page_that_the_archive_lacks_fails(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc"
    await items(Warc(path), FakeSite({"/": "x"}))
    found = await collect(Everything(start_urls=["https://site.test/new"]), NoNetwork(), plugins=[Replay([path])])
    assert found.report.failures == {"request_error": 1}
    assert found.report.kinds == {"request_error.not_archived": 1}
    assert found.report.exit_code() == 4


async def test_a_redirect_of_robots_txt_is_replayed(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc"
    moved = {"/": "<a href='/private'>x</a>", "/robots.txt": Page("", 302, headers={"Location": "/r"}), "/private": "x"}
    site = FakeSite(moved | {"/r": PAGES["/robots.txt"]})
    first, _ = await items(Warc(path), site)
    again, report = await items(Replay([path]), NoNetwork())
    assert again == first
    assert report.filtered["robots"] == 1


async def test_a_record_that_is_damaged_later_fails_its_page(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Damaged(Replay):
        async def answer(self, request: Request) -> Response:
            self.paths[0].write_bytes(b"x" * 10)
            return await super().answer(request)

    path = tmp_path / "site.warc"
    await items(Warc(path), FakeSite({"/": "x"}))
    found = await collect(Everything(), NoNetwork(), plugins=[Damaged([path])], settings=Settings(obey_robots=False))
    assert found.report.kinds == {"request_error.bad_archive": 1}


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "at least one file"), ("x.txt", "must end in"), ("x.warc.gz", r"no such file: x\.warc\.gz")],
)
def test_bad_options_are_refused_before_the_crawl(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        construct(Replay, {"path": path}, what="plugin replay")


async def test_an_archived_wall_is_a_wall_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc"
    first = await items(Warc(path), FakeSite({"/": CHALLENGE}))
    for found, report in (first, await items(Replay([path]), NoNetwork())):
        assert (found, report.filtered) == ([], {"wall.challenge": 1})


async def test_a_page_that_was_cut_when_it_was_archived_is_marked(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "site.warc"
    await items(Warc(path), FakeSite({"/": "<p>cut"}))
    mark = b"WARC-Type: response\r\n"
    path.write_bytes(path.read_bytes().replace(mark, mark + b"WARC-Truncated: length\r\n"))
    _, report = await items(Replay([path]), NoNetwork())
    assert report.incomplete == 1
    assert report.samples["incomplete"] == ["https://site.test/"]
