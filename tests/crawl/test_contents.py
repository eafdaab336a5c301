"""`dedup_content`: only one of several pages with the same body is processed."""

from __future__ import annotations

import pytest
import trio
from support.trees import FREE

from crawler import Request, Settings, Spider, crawl
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"
DEDUP = FREE | Settings(dedup_content=True)


def links(*hrefs: str) -> str:
    return "".join(f"<a href='{href}'>x</a>" for href in hrefs)


class Everything(Spider):
    """Follows every link."""

    start_urls = [URL]
    settings = DEDUP

    def parse(self, response):
        yield {"url": response.url.removeprefix(URL)}
        yield from response.follow_all()


def found(collected):
    return sorted(item["url"] for item in collected.items)


async def test_only_one_of_several_pages_with_the_same_body_is_processed(autojump_clock):
    pages = {"/": links("/a", "/b", "/c"), "/a": "same", "/b": "same", "/c": "other"}
    collected = await collect(Everything(), FakeSite(pages))
    assert len(found(collected)) == 3
    assert {"", "c"} < set(found(collected))
    assert collected.report.pages == 3
    assert collected.report.filtered == {"duplicate_content": 1}
    assert len(collected.report.samples["duplicate_content"]) == 1
    assert collected.report.statuses == {200: 4}


async def test_by_default_all_pages_are_processed(autojump_clock):
    pages = {"/": links("/a", "/b"), "/a": "same", "/b": "same"}
    collected = await collect(Everything(), FakeSite(pages), settings=Settings(dedup_content=False))
    assert found(collected) == ["", "a", "b"]


async def test_a_site_that_serves_one_page_everywhere_ends_at_once(autojump_clock):
    collected = await collect(
        Everything(), FakeSite({"/": links("a/"), **{f"/{'a/' * n}": links("a/") for n in (1, 2)}})
    )
    assert found(collected) == [""]
    assert collected.report.filtered == {"duplicate_content": 1}


async def test_empty_bodies_other_statuses_and_dont_filter_are_not_compared(autojump_clock):
    class Twice(Everything):
        def parse(self, response):
            yield from super().parse(response)
            if response.url == URL:
                yield Request(f"{URL}a", dont_filter=True)

    pages = {
        "/": links("/a", "/e", "/f", "/x", "/y"), "/a": "same", "/e": "", "/f": "", "/x": Page("gone", 404),
        "/y": Page("gone", 404),
    }  # fmt: skip
    collected = await collect(Twice(), FakeSite(pages))
    assert found(collected) == ["", "a", "a", "e", "f"]
    assert collected.report.filtered == {}


async def test_a_page_whose_callback_failed_does_not_replace_others(autojump_clock):
    failed = []

    class Fragile(Everything):
        async def parse(self, response):
            if response.url != URL and not failed:
                failed.append(response.url)
                await trio.sleep(5)  # the other page arrives meanwhile and waits
                raise ValueError("no")
            return [{"url": response.url.removeprefix(URL)}, *response.follow_all()]

    collected = await collect(Fragile(), FakeSite({"/": links("/a", "/b"), "/a": "same", "/b": "same"}))
    assert len(collected.items) == 2
    assert collected.report.failed == 1
    assert collected.report.filtered == {}
    assert failed


async def test_a_page_that_arrives_while_another_is_processed_waits_and_is_dropped(autojump_clock):
    class Slow(Everything):
        async def parse(self, response):
            await trio.sleep(5)
            return [{"url": response.url.removeprefix(URL)}, *response.follow_all()]

    pages = {"/": links(*(f"/{n}" for n in range(8)))} | {f"/{n}": "same" for n in range(8)}
    collected = await collect(Slow(), FakeSite(pages))
    assert len(collected.items) == 2
    assert collected.report.filtered == {"duplicate_content": 7}


async def test_a_page_that_is_put_off_is_not_a_duplicate_of_itself(autojump_clock):
    class Later(Everything):
        def parse(self, response):
            return {"url": response.url} if response.attempt > 1 else response.defer(1.0)

    collected = await collect(Later(), FakeSite({"/": "x"}))
    assert len(collected.items) == 1
    assert collected.report.filtered == {}


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_a_resumed_job_knows_the_bodies_of_earlier_runs(autojump_clock, tmp_path, most):
    pages = {"/": links("/a", "/b", "/c", "/d"), "/a": "same", "/b": "same", "/c": "other", "/d": "same"}
    site = FakeSite(pages)
    seen = []

    class Kept(Everything):
        settings = DEDUP | Settings(workers=1)

        def parse(self, response):
            seen.append(response.url.removeprefix(URL))
            yield from response.follow_all()

    job = tmp_path / "job"
    first = await crawl(Kept(), settings=Settings(max_pages=most), transport=site.transport, job=job)
    assert first.pages == most
    second = await crawl(Kept(), transport=site.transport, job=job)
    assert second.pages == 3
    assert second.filtered == {"duplicate_content": 2}
    assert seen == ["", "a", "c"]
