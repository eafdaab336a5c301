"""`Verdicts`: what a worker of a shared job learns about the changes that a page made to states."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from support.memory_job import MemoryJob
from support.workers import Worker, kept_items
from trio.testing import MockClock

from crawler import Produced, Response, Settings, Spider
from crawler.engine.verdicts import Verdicts
from crawler.frontier import StoredTicket
from crawler.store import Verdict
from crawler.testing import FakeSite, Page

PAGES = 12


def some_ticket() -> StoredTicket:
    """Return something that identifies a request."""
    return cast("StoredTicket", object())


@pytest.mark.parametrize(("verdict", "is_refused"), [(Verdict.CONFLICT, True), (Verdict.OK, False)])
def test_a_worker_gets_its_ticket_back_after_a_conflict_only(verdict: Verdict, is_refused: bool) -> None:
    verdicts, ticket = Verdicts(), some_ticket()
    verdicts.expect(ticket, "response")
    awaited = verdicts.of(ticket)
    assert awaited is not None
    assert not awaited.known.is_set()
    assert verdicts.tell(ticket, verdict) is is_refused
    assert (awaited.result, awaited.known.is_set(), awaited.is_refused) == ("response", True, is_refused)


def test_the_writer_keeps_a_ticket_that_no_worker_waits_for() -> None:
    verdicts, ticket, ended = Verdicts(), some_ticket(), some_ticket()
    verdicts.expect(ended, None)
    assert verdicts
    verdicts.forget(ended)
    assert not verdicts
    assert verdicts.of(ticket) is None
    assert not verdicts.tell(ticket, Verdict.CONFLICT)
    assert not verdicts.tell(ended, Verdict.CONFLICT)


class Counting(Spider):
    """Counts the pages of two hosts in a state that all workers change, and fails at some pages."""

    start_urls = ("https://a.test/", "https://b.test/")
    settings = Settings(obey_robots=False, attempts=2, backoff_base=0.1)

    def parse(self, response: Response) -> Produced:
        self.state["pages"] = self.state.get("pages", 0) + 1
        yield {"url": response.url}
        yield from response.follow_all()


def two_hosts() -> FakeSite:
    """Return two hosts whose pages each fail once."""
    links = "".join(f'<a href="/{n}">x</a>' for n in range(PAGES))
    pages: dict[str, Any] = {f"https://{host}.test/": Page(links, delay=0.1) for host in "ab"}
    for host in "ab":
        pages |= {f"https://{host}.test/{n}": [Page("", 500), Page("x", delay=0.1)] for n in range(PAGES)}
    return FakeSite(pages)


async def test_a_conflict_uses_up_no_attempt_and_sends_no_request(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), two_hosts()
    workers = [Worker(job, Counting(), site) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    report = workers[0].report
    assert report is not None
    assert (report.failed, report.pages, report.items) == (0, 2 + 2 * PAGES, 2 + 2 * PAGES)
    assert report.requests == len(site.log) == 2 + 2 * 2 * PAGES
    assert len(kept_items(job, workers)) == 2 + 2 * PAGES


async def test_workers_that_wait_for_a_verdict_end_with_the_crawl(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), two_hosts()
    workers = [Worker(job, Counting(), site, settings=Settings(max_items=5)) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    assert {worker.report.finished for worker in workers if worker.report is not None} == {"max_items"}
    assert trio.current_time() < 5  # and not at the end of `grace`
