"""A file that stops in the middle of a response that came whole is incomplete: sitemaps, feeds, JSON, tables, gzip."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from crawler import IncompleteBody, Produced, Report, Request, Response, Settings, Spider, crawl
from crawler.cli.job import job
from crawler.spiders import ApiSpider, FeedSpider, SitemapSpider
from crawler.testing import FakeSite, Page, collect

ROWS = [{"a": str(number), "b": f'row "{number}"'} for number in range(3000)]  # more than is held before the store
URLS = [f"/{number}" for number in range(20)]
PAGES = dict.fromkeys(URLS, "<title>x</title>")
FILES: dict[str, tuple[str, str]] = {
    "jsonl": ("application/jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)),
    "json": ("application/json", json.dumps(ROWS)),
    "csv": ("text/csv", "a,b\n" + "".join(f'{row["a"]},"row ""{row["a"]}"""\n' for row in ROWS)),
    "xml": ("text/xml", "<r>" + "".join(f"<item><a>{r['a']}</a><b>{r['b']}</b></item>" for r in ROWS) + "</r>"),
}
EITHER: tuple[Literal["fail"], Literal["keep"]] = ("fail", "keep")
URL = "https://site.test/file"


class Flaky:
    """Sends a cut file some times, then the whole one."""

    def __init__(self, whole: bytes, cut: bytes, times: int, kind: str) -> None:
        self._bodies = [cut] * times + [whole]
        self._kind = kind

    def __call__(self, _request: object) -> Page:
        body = self._bodies.pop(0) if len(self._bodies) > 1 else self._bodies[0]
        return Page(body, headers={"Content-Type": self._kind})


async def crawled(
    spider: Spider,
    whole: bytes,
    cut: bytes,
    times: int,
    kind: str,
    incomplete: Literal["fail", "keep"] = "fail",
    others: dict[str, str] | None = None,
) -> tuple[list[Any], Report]:
    """Crawl a file whose first `times` responses stop in the middle."""
    site = FakeSite({URL: Flaky(whole, cut, times, kind), **(others or {})})
    found = await collect(spider, site, settings=Settings(incomplete=incomplete, obey_robots=False))
    return found.items, found.report


def packed(text: str, is_gzip: bool) -> bytes:
    """Return a file, perhaps compressed itself."""
    return gzip.compress(text.encode()) if is_gzip else text.encode()


def cut_short(whole: bytes) -> bytes:
    """Return a file that stops in its last record."""
    return whole[:-20] if whole.startswith(b"\x1f\x8b") else whole[:-5]


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_stops_once_is_fetched_again_and_gives_each_record_once(
    autojump_clock: object, name: str, is_gzip: bool
) -> None:
    kind, text = FILES[name]
    whole = packed(text, is_gzip)
    items, report = await crawled(FeedSpider(url=URL), whole, cut_short(whole), 1, kind)
    assert items == ROWS
    assert (report.pages, report.failed, report.retries, report.counters) == (1, 0, 1, {})


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_always_stops_fails_as_incomplete(autojump_clock: object, name: str, is_gzip: bool) -> None:
    kind, text = FILES[name]
    whole = packed(text, is_gzip)
    items, report = await crawled(FeedSpider(url=URL), whole, cut_short(whole), 99, kind)
    assert items == []
    assert (report.pages, report.kinds, report.exit_code()) == (0, {"broken_exchange.incomplete": 1}, 4)
    assert report.samples["broken_exchange.incomplete"] == [URL]


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("name", FILES)
async def test_the_records_that_came_are_kept_by_wish(autojump_clock: object, name: str, is_gzip: bool) -> None:
    kind, text = FILES[name]
    whole = packed(text, is_gzip)
    items, report = await crawled(FeedSpider(url=URL), whole, cut_short(whole), 99, kind, "keep")
    assert 2000 < len(items) <= len(ROWS)
    assert items == ROWS[: len(items)]
    assert (report.pages, report.failed, report.incomplete) == (1, 0, 1)
    assert report.samples["incomplete"] == [URL]


@pytest.mark.parametrize(
    ("body", "kind", "count"),
    [
        (b"", "text/csv", 0),
        (b"", "application/jsonl", 0),
        (b" \n ", "text/xml", 0),
        (b'{"a": 1}\n{"a": 2}', "application/jsonl", 2),
        (b'{"a": 1}\n\n \n', "application/jsonl", 1),
        (b'{"a": 1}\n{"a": 2,,}', "application/jsonl", 1),
        (b'{"a": 1}\n{"a": "x\n{"a": 2}\n', "application/jsonl", 2),
        (b"[1, 2] \n", "application/json", 2),
        (b"[1, 2] garbage [", "application/json", 2),
        (b'[{"a": "open}, {"a": 2}, {"a": 3}]', "application/json", 0),
        (b'[1, {"a": "open}, {"a": 2}, {"a": 3}]', "application/json", 1),
        (b'a,b\n1,2\n3,"x\n4,y\n', "text/csv", 1),
        (b"a,b\n1,2\n3,4", "text/csv", 2),
        (b"a,b\n1,2\nin all: 1", "text/csv", 1),
        (b"<r><item>1</item><item><b>2</item><item>3</item></r>\n\n", "text/xml", 2),
        (b"<r><item>1</item></r> garbage <", "text/xml", 1),
        (gzip.compress(b"a\n1\n", mtime=0) + gzip.compress(b"2\n", mtime=0), "text/csv", 2),
        (gzip.compress(b"a\n1\n", mtime=0) + b"\0" * 1024, "text/csv", 1),
        (gzip.compress(b"a\n1\n", mtime=0)[:-8] + b"\1" * 8, "text/csv", 0),
    ],
)
async def test_a_file_that_is_whole_or_malformed_is_fetched_once(
    autojump_clock: object, body: bytes, kind: str, count: int
) -> None:
    items, report = await crawled(FeedSpider(url=URL), body, body, 9, kind)
    assert (len(items), report.retries) == (count, 0)
    assert "broken_exchange.incomplete" not in report.kinds


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a": 1}\n{"a', "application/jsonl"),
        (b"[", "application/json"),
        (b"[1, ", "application/json"),
        (b'[1, "op', "application/json"),
        (b'a,b\n1,2\n3,"x\n4,y', "text/csv"),
        (b"<r><item>1</item>", "text/xml"),
        (b"<r><item>1</it", "text/xml"),
        (b"<?xml version='1.0'?>", "text/xml"),
        (gzip.compress(b"a\n1\n", mtime=0) + gzip.compress(b"2\n", mtime=0)[:-4], "text/csv"),
        (gzip.compress(b"", mtime=0)[:2], "text/csv"),
    ],
)
async def test_a_file_that_stops_is_incomplete_wherever_it_stops(
    autojump_clock: object, body: bytes, kind: str
) -> None:
    _, report = await crawled(FeedSpider(url=URL), body, body, 9, kind)
    assert report.kinds == {"broken_exchange.incomplete": 1}


async def test_an_array_that_is_not_reached_is_incomplete(autojump_clock: object) -> None:
    whole = b'{"n": "x", "data": {"rows": [{"a": 1}]}}'
    for end in (5, 8, 12, 20, 30, 36):
        items, report = await crawled(FeedSpider(url=URL, items="data.rows"), whole, whole[:end], 1, "application/json")
        assert (items, report.retries) == ([{"a": 1}], 1)


SITEMAP = "<urlset>" + "".join(f"<url><loc>https://site.test{url}</loc></url>" for url in URLS) + "</urlset>"


@pytest.mark.parametrize("is_gzip", [False, True])
async def test_a_sitemap_that_stops_once_gives_all_its_pages(autojump_clock: object, is_gzip: bool) -> None:
    whole = packed(SITEMAP, is_gzip)
    items, report = await crawled(
        SitemapSpider(sitemap_urls=[URL]),
        whole,
        whole[:-10],
        1,
        "text/xml",
        others=PAGES,
    )
    assert (len(items), report.pages, report.retries, report.counters) == (20, 21, 1, {})


@pytest.mark.parametrize(("incomplete", "count"), [("fail", 0), ("keep", 19)])
async def test_a_sitemap_that_always_stops_fails_or_gives_the_pages_that_came(
    autojump_clock: object, incomplete: Literal["fail", "keep"], count: int
) -> None:
    whole = SITEMAP.encode()
    items, report = await crawled(
        SitemapSpider(sitemap_urls=[URL]), whole, whole[:-20], 99, "text/xml", incomplete, PAGES,
    )  # fmt: skip
    assert len(items) == count
    assert report.incomplete == (incomplete == "keep")
    assert report.kinds == ({} if incomplete == "keep" else {"broken_exchange.incomplete": 1})


class Feeds(Spider):
    """Reads a feed."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Produced:
        yield from ({"title": entry.title} for entry in response.feed().entries)


@pytest.mark.parametrize(
    "whole",
    [
        b"<rss><channel><item><title>1</title></item><item><title>2</title></item></channel></rss>",
        b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>1</title></entry><entry><title>2</title></entry></feed>",
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"title": "1"}, {"title": "2"}]}',
    ],
)
async def test_a_feed_that_stops_once_has_all_its_entries(autojump_clock: object, whole: bytes) -> None:
    items, report = await crawled(Feeds(), whole, whole[:-10], 1, "")
    assert (items, report.retries) == ([{"title": "1"}, {"title": "2"}], 1)
    items, report = await crawled(Feeds(), whole, whole[:-20], 99, "")
    assert (items, report.kinds) == ([], {"broken_exchange.incomplete": 1})
    items, report = await crawled(Feeds(), whole, whole[:-20], 99, "", "keep")
    assert (items in ([], [{"title": "1"}]), report.incomplete, report.failed) == (True, 1, 0)


async def test_json_of_an_api_that_stops_is_fetched_again(autojump_clock: object) -> None:
    whole = json.dumps({"results": ROWS[:5]}).encode()
    items, report = await crawled(ApiSpider(url=URL, items="results"), whole, whole[:-10], 1, "application/json")
    assert (items, report.retries) == (ROWS[:5], 1)
    for incomplete in EITHER:  # there is no part of a JSON text
        _, report = await crawled(
            ApiSpider(url=URL, items="results"), whole, whole[:-10], 9, "application/json", incomplete
        )
        assert (report.incomplete, report.kinds) == (0, {"broken_exchange.incomplete": 1})


class Inner(Spider):
    """Reads a second response."""

    start_urls = ("https://site.test/",)

    async def parse(self, _response: Response) -> Produced:
        inner = await self.crawl.fetch(Request(URL))
        return {"data": inner.json()}


@pytest.mark.parametrize("incomplete", ["fail", "keep"])
async def test_the_page_of_a_response_that_was_fetched_inline_is_not_the_one_that_was_cut(
    autojump_clock: object, incomplete: Literal["fail", "keep"]
) -> None:
    _, report = await crawled(Inner(), b"[1", b"[1", 9, "", incomplete, {"/": "x"})
    assert (report.pages, report.retries, list(report.kinds)) == (0, 0, ["callback_error.parse"])


class Own(Spider):
    """Has a reader of its own."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Produced:
        yield {"line": response.text.splitlines()[0]}
        if response.complete and not response.text.endswith("END\n"):
            raise IncompleteBody("the file has no END")


async def test_a_reader_of_ones_own_says_that_a_file_stops(autojump_clock: object) -> None:
    items, report = await crawled(Own(), b"a\nEND\n", b"a\nE", 1, "")
    assert (items, report.retries) == ([{"line": "a"}], 1)
    items, report = await crawled(Own(), b"a\nEND\n", b"a\nE", 99, "", "keep")
    assert (items, report.incomplete) == ([{"line": "a"}], 1)


@pytest.mark.parametrize("incomplete", EITHER)
async def test_a_job_lists_the_pages_that_were_cut_and_fetches_them_again(
    autojump_clock: object, tmp_path: Path, capsys: pytest.CaptureFixture[str], incomplete: Literal["fail", "keep"]
) -> None:
    folder, name = tmp_path / "feed.job", str(tmp_path / "feed.job")
    output = tmp_path / "rows.jsonl"
    whole, is_kept = b'{"a": 1}\n{"a": 2}\n', incomplete == "keep"

    async def run(*bodies: bytes) -> Report:
        site = FakeSite({URL: Flaky(bodies[-1], bodies[0], len(bodies) - 1, "application/jsonl")})
        settings = Settings(incomplete=incomplete, obey_robots=False, attempts=2)
        return await crawl(
            FeedSpider(url=URL), job=folder, outputs=[output], settings=settings, transport=site.transport
        )

    report = await run(whole[:12])
    assert (report.incomplete, report.failed) == ((1, 0) if is_kept else (0, 1))
    assert report.exit_code() == (0 if is_kept else 4)

    assert job(name, incomplete=True) == 0
    shown = capsys.readouterr().out
    assert f"1 page was cut, {int(is_kept)} of them kept\n" in shown
    ending = "kept 12 bytes after 2 attempts" if is_kept else "failed after 2 attempts: the file"
    assert f"Z {URL} {ending}" in shown
    assert shown.endswith(f"crawler job {folder} --retry-failed, then run the job again\n")
    assert job(name, incomplete=True, as_json=True) == 0
    [row] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["url"], row["kept"], row["attempts"]) == (URL, is_kept, 2)
    assert job(name) == 0
    shown = capsys.readouterr().out
    assert ("  cut       1 page kept as far as it came (--incomplete)\n" in shown) == is_kept
    assert ("  failed    broken_exchange.incomplete: 1\n" in shown) == (not is_kept)

    assert job(name, retry_failed=True) == 0
    said = capsys.readouterr().err
    assert said.startswith("queued 1 page that was cut again" if is_kept else "queued 1 failed request again")
    report = await run(whole)
    assert (report.incomplete, report.failed, report.exit_code()) == (0, 0, 0)
    rows = [json.loads(line)["a"] for line in output.read_text().splitlines()]
    assert rows == ([1, 1, 2] if is_kept else [1, 2])
    assert job(name, incomplete=True) == 0
    assert "0 pages were cut, 0 of them kept\n" in capsys.readouterr().out
