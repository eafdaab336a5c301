"""Links to dead hosts at the end of a crawl, in virtual time: it ends soon, unless the network is down."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.internet import FAULTS, Internet, Pages, between
from trio.testing import MockClock

from crawler import Failure, Request, Settings, crawl
from crawler.engine import wiring
from crawler.store.inspect import inspect_job
from crawler.testing import collect

SITE = "https://site.test"
TRIES = {"refused": 40, "unreachable": 40, "nxdomain": 10, "timeout": 60, "servfail": 40, "closed": 100}
"""Seconds for which a crawl of a site may last whose links fail in such a way. It takes 1.5 seconds without them."""


class Links(Pages):
    """Finds links to other hosts on the pages of some.

    Parameters:
        links: Number of other hosts.
        sites: Where the pages are.
    """

    def __init__(self, links: int, *sites: str) -> None:
        super().__init__(0)
        self.links = links
        self.start_urls = [f"{site}/{page}" for page in range(10) for site in sites or [SITE]]

    def parse(self, response: Any) -> Any:
        yield {"url": response.url}
        for host in range(self.links):
            yield Request(f"https://h{host}.test/{response.url.rpartition('/')[2]}", errback=self.accept)

    def accept(self, failure: Failure) -> None:
        """Accept what cannot be reached."""


def is_link(host: str) -> bool:
    return host.startswith("h")


@pytest.mark.parametrize("fault", TRIES)
@pytest.mark.parametrize("links", [3, 12, 40])
async def test_links_to_dead_hosts_do_not_hold_up_the_end_of_a_crawl(
    autojump_clock: MockClock, links: int, fault: str
) -> None:
    internet = Internet(between(0, 1e9), fault, hosts=is_link)
    report = await crawl(Links(links), transport=internet)
    assert (report.pages, report.failed) == (10, 10 * links)
    assert report.seconds < TRIES[fault]
    assert len(internet.answered) == 11, "pages and robots.txt: the crawler asks nothing of its own"


async def test_a_known_host_that_is_down_too_is_not_taken_for_the_network(autojump_clock: MockClock) -> None:
    sites = [f"https://site{number}.test" for number in range(4)]

    class Fails(Internet):
        def is_down(self, request: httpx.Request) -> bool:
            return is_link(request.url.host) or (request.url.host == "site3.test" and self.now > 1.5)

    report = (await collect(Links(12, *sites), Fails(between(0, 0)))).report
    assert (report.pages, report.failed) == (40, 120)
    assert report.seconds < 40


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"gateway"}))
@pytest.mark.parametrize("dead", ["", "site0.test"])
async def test_an_outage_at_the_end_of_a_crawl_loses_no_link(autojump_clock: MockClock, fault: str, dead: str) -> None:
    class Fails(Internet):
        def is_down(self, request: httpx.Request) -> bool:
            return super().is_down(request) or (request.url.host == dead and self.now > 1.5)

    internet = Fails(between(1.6, 300), fault)
    sites = [f"https://site{number}.test" for number in range(3)]
    settings = Settings(obey_robots=False, workers=4, slow_start=False)
    found = await collect(Links(12, *sites), internet, settings=settings)
    expected = {f"{site}/{page}" for site in [*sites, *(f"https://h{n}.test" for n in range(12))] for page in range(10)}
    lost = expected - {item["url"] for item in found.items}
    assert all(dead and url.startswith(f"https://{dead}/") for url in lost)
    assert internet.now < (1000 if dead else 340)


async def test_a_job_whose_last_requests_go_to_dead_hosts_ends_soon_when_it_is_resumed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    job = tmp_path / "job"
    with trio.move_on_after(4):
        await crawl(Links(12), transport=Internet(between(0, 1e9), hosts=is_link), job=job)
    assert inspect_job(job).stats["pages"] == 10
    internet = Internet(between(0, 1e9), hosts=is_link)
    report = await crawl(Links(12), transport=internet, job=job)
    assert report.failed == 120
    assert internet.now < 40


@pytest.mark.parametrize("fault", ["servfail", "nxdomain", "unreachable", "refused"])
@pytest.mark.parametrize("site", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
@pytest.mark.parametrize("links", [1, 3, 20])
async def test_a_crawl_of_this_machine_does_not_wait_for_a_network(
    autojump_clock: MockClock, links: int, site: str, fault: str
) -> None:
    internet = Internet(between(0, 1e9), fault, hosts=is_link)
    report = await crawl(Links(links, site), transport=internet)
    assert (report.pages, report.failed) == (10, 10 * links)
    own = max(at for at, _ in internet.answered)
    assert report.seconds < own + 40


async def test_an_outage_after_a_host_has_answered_is_waited_for_although_this_machine_answers(
    autojump_clock: MockClock,
) -> None:
    internet = Internet(between(1.6, 300), hosts=lambda host: host != "127.0.0.1")
    sites = ["http://127.0.0.1:8000", SITE]
    settings = Settings(obey_robots=False, workers=4, slow_start=False)
    report = await crawl(Links(12, *sites), settings=settings, transport=internet)
    assert (report.pages, report.failed) == (140, 0)


async def test_a_lane_may_have_the_name_of_no_host(autojump_clock: MockClock) -> None:
    class Named(Links):
        def start(self) -> Any:
            yield from (Request(url, lane="shared://all") for url in self.start_urls)

    report = await crawl(Named(12), transport=Internet(between(0, 1e9), hosts=is_link))
    assert (report.pages, report.failed) == (10, 120)


@pytest.mark.parametrize("fault", ["servfail", "timeout", "refused"])
async def test_dead_hosts_that_fill_the_memory_cost_no_page_of_a_host_that_answers(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(wiring, "Frontier", functools.partial(wiring.Frontier, max_lanes=100, max_waiting=200))

    class Many(Pages):
        def start(self) -> Any:
            yield Request(f"{SITE}/0")
            yield from (Request(f"https://h{host}.test/") for host in range(300))
            yield from (Request(f"{SITE}/{page}") for page in range(1, 100))

    internet = Internet(between(0, 1e9), fault, hosts=is_link)
    report = await crawl(Many(0), settings=Settings(obey_robots=False), transport=internet)
    assert (report.pages, report.failed) == (100, 300)
