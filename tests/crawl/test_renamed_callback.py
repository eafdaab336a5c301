"""A job is resumed after a method of its spider was renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from crawler import Failure, JobError, Produced, Request, Response, Settings, Spider, crawl
from crawler.store.inspect import inspect_job
from crawler.testing import FakeSite

LINKS = "".join(f"<a href='/{n}'>{n}</a>" for n in range(9))
SITE = {"/": LINKS} | {f"/{n}": f"page {n}" for n in range(9)}


def spider(callback: str, errback: str = "missed") -> Spider:
    """Return a spider whose pages are handled by a method of this name."""

    def start(self: Spider) -> Produced:
        yield Request("https://site.test/")

    def parse(self: Spider, response: Response) -> Produced:
        yield from (request.replace(errback=errback) for request in response.follow_all("a", callback=callback))

    def page(self: Spider, response: Response) -> Produced:
        yield {"url": response.url}

    def missed(self: Spider, failure: Failure) -> None: ...

    methods = {"start": start, "parse": parse, callback: page, errback: missed}
    return type("Shop", (Spider,), {"name": "shop", **methods})()


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        (spider("parse_book"), "'parse_page'.*callback of 8 waiting requests"),
        (spider("parse_pages"), r"'parse_page' \(did you mean parse_pages\?\), which is the callback of 8 waiting"),
        (spider("parse_page", "lost"), "'missed'.*errback of 8 waiting requests"),
    ],
)
async def test_the_job_is_refused_before_anything_is_fetched_and_continues_with_the_old_name(
    autojump_clock: MockClock, tmp_path: Path, renamed: Spider, message: str
) -> None:
    job, site = tmp_path / "job", FakeSite(SITE)
    settings = Settings(workers=1, max_pages=2)
    await crawl(spider("parse_page"), settings=settings, transport=site.transport, job=job)
    asked = len(site.log)
    for _ in range(2):
        with pytest.raises(JobError, match=message):
            await crawl(renamed, transport=site.transport, job=job)
    assert len(site.log) == asked
    assert inspect_job(job).waiting == 8
    report = await crawl(spider("parse_page"), transport=site.transport, job=job)
    assert (report.finished, report.pages, report.failed) == ("finished", 10, 0)


def shop(page: Any) -> Spider:
    """Return a spider whose pages are handled by this function, with the argument `number`."""

    def start(self: Spider) -> Produced:
        yield Request("https://site.test/")

    def parse(self: Spider, response: Response) -> Produced:
        yield from (request.replace(cb_kwargs={"number": 1}) for request in response.follow_all("a", callback="page"))

    return type("Shop", (Spider,), {"name": "shop", "start": start, "parse": parse, "page": page})()


async def test_a_job_whose_callback_has_another_parameter_is_refused_before_anything_is_fetched(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    def page(self: Spider, response: Response, number: int) -> Produced:
        yield {"url": response.url}

    def changed(self: Spider, response: Response, index: int) -> Produced:
        yield {"url": response.url}

    job, site = tmp_path / "job", FakeSite(SITE)
    await crawl(shop(page), settings=Settings(workers=1, max_pages=2), transport=site.transport, job=job)
    asked = len(site.log)
    with pytest.raises(JobError, match=r"Shop\.page does not fit as the callback of 8 waiting requests"):
        await crawl(shop(changed), transport=site.transport, job=job)
    assert len(site.log) == asked
    report = await crawl(shop(page), transport=site.transport, job=job)
    assert (report.finished, report.pages, report.failed) == ("finished", 10, 0)
