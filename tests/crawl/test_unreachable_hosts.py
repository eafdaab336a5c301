"""Hosts that have never answered, in virtual time: a queue beside the crawl, and a short end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.internet import FAULTS, Pages
from trio.testing import MockClock

from crawler import Plugin, Request, Response, Settings, crawl
from crawler.store.inspect import inspect_job, retry_failed
from crawler.testing import collect

FAST = Settings(slow_start=False, obey_robots=False)


class Network(httpx.AsyncBaseTransport):
    """Hosts that can be reached from a time on.

    Parameters:
        since: Seconds from the start until a host answers.
        fault: How its connections fail until then.
    """

    def __init__(self, since: Callable[[str], float], fault: str = "refused") -> None:
        self.since = since
        self.fault = fault
        self.started = trio.current_time()
        self.tries: Counter[str] = Counter()
        self.answered: list[tuple[float, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, now = request.url.host, trio.current_time() - self.started
        if now < self.since(host):
            self.tries[host] += 1
            await trio.sleep(0.01)
            failure = FAULTS[self.fault](request)
            assert isinstance(failure, Exception)
            raise failure
        await trio.sleep(0.2)
        self.answered.append((now, host))
        return httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<p>x")


class Busy(Pages):
    """Fetches pages of other hosts while one host keeps the crawl busy with a chain of pages, one a second."""

    def __init__(self, seconds: int, hosts: int = 1, pages: int = 3) -> None:
        super().__init__(hosts, pages)
        self.seconds = seconds

    def start(self) -> Any:
        yield from map(Request, self.start_urls)
        yield Request("https://live.test/0")

    def parse(self, response: Response) -> Any:
        yield {"url": response.url}
        host, number = response.url.removeprefix("https://").split("/")
        if host == "live.test" and int(number) < self.seconds:
            yield Request(f"https://live.test/{int(number) + 1}", lane="https://live.test")


@pytest.mark.parametrize("fault", ["refused", "servfail", "closed"])
@pytest.mark.parametrize("seconds", [11, 40, 180, 1200])
async def test_a_host_that_comes_up_while_the_crawl_is_busy_loses_nothing(
    autojump_clock: MockClock, seconds: int, fault: str
) -> None:
    network = Network(lambda host: seconds if host == "h0.test" else 0, fault)
    settings = FAST | Settings(delay=1.0, obey_robots=fault == "closed")  # else a page may be to blame
    found = await collect(Busy(seconds + 20), network, settings=settings)
    assert (found.report.pages, found.report.failed) == (seconds + 21 + 3, 0)
    assert network.tries["h0.test"] <= 16
    assert found.report.seconds < seconds + 20 + 40


async def test_many_dead_hosts_neither_slow_one_that_answers_nor_take_its_room(autojump_clock: MockClock) -> None:
    lanes: list[tuple[float, int]] = []

    class Look(Plugin):
        name = "look"

        def measure(self, usage: Any) -> None:
            lanes.append((trio.current_time() - network.started, len(self.crawl.control.statistics().limits)))

    network = Network(lambda host: 0 if host == "live.test" else 1e9)
    settings = FAST | Settings(workers=32, delay=0.3)
    found = await collect(Busy(100, hosts=300, pages=1), network, settings=settings, plugins=[Look()])
    assert (found.report.pages, found.report.failed) == (101, 300)
    assert network.answered[-1][0] < 101 * 0.3 * 1.1 + 2
    assert sum(network.tries.values()) <= 300 * 9
    assert max(count for at, count in lanes if 5 < at < 25) < 60
    assert found.report.seconds < network.answered[-1][0] + 36


@pytest.mark.parametrize("hosts", [1, 100])
@pytest.mark.parametrize("busy", [2, 200])
async def test_dead_hosts_at_the_end_of_a_crawl_cost_half_a_minute_together(
    autojump_clock: MockClock, hosts: int, busy: int
) -> None:
    network = Network(lambda host: 0 if host == "live.test" else 1e9)
    found = await collect(Busy(busy, hosts=hosts), network, settings=FAST | Settings(delay=1.0))
    assert (found.report.pages, found.report.kinds) == (busy + 1, {"connect_failed.refused": hosts * 3})
    assert found.report.exit_code() == 4
    assert found.report.seconds < busy + 36


async def test_a_start_url_whose_name_does_not_exist_ends_a_crawl_after_five_seconds(autojump_clock: MockClock) -> None:
    network = Network(lambda host: 1e9, "nxdomain")
    found = await collect(Pages(1, 1), network)
    assert (found.report.failed, found.report.exit_code()) == (1, 4)
    assert found.report.seconds < 6
    assert network.tries["h0.test"] <= 5


@pytest.mark.parametrize(("since", "pages"), [(100, 3), (1e9, 0)])
async def test_a_name_that_does_not_exist_is_looked_up_a_few_times_while_the_crawl_is_busy(
    autojump_clock: MockClock, since: float, pages: int
) -> None:
    network = Network(lambda host: 0 if host == "live.test" else since, "nxdomain")
    found = await collect(Busy(900), network, settings=FAST | Settings(delay=1.0))
    assert found.report.pages == 901 + pages
    assert network.tries["h0.test"] <= 6
    assert found.report.seconds < 910


async def test_all_pages_of_a_host_that_never_answers_fail_together(autojump_clock: MockClock) -> None:
    network = Network(lambda host: 1e9)
    found = await collect(Pages(1, 10_050), network, settings=FAST)
    assert found.report.failed == 10_050
    assert found.report.seconds < 40
    assert network.tries["h0.test"] < 20


async def test_the_next_run_of_a_job_fetches_what_was_given_up_and_counts_no_page_twice(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    job, network = tmp_path / "job", Network(lambda host: 500 if host == "h0.test" else 0)
    first = await crawl(Pages(2, 5), settings=FAST, transport=network, job=job)
    assert (first.pages, first.kinds, first.exit_code()) == (5, {"connect_failed.refused": 5}, 4)
    assert first.samples["unreachable"] == ["https://h0.test"]
    assert inspect_job(job).finished
    again = await crawl(Pages(2, 5), settings=FAST, transport=network, job=job)
    assert (again.pages, again.failed, again.kinds, again.exit_code()) == (5, 5, {"connect_failed.refused": 5}, 4)
    await trio.sleep(500)
    last = await crawl(Pages(2, 5), settings=FAST, transport=network, job=job)
    assert (last.pages, last.failed, last.kinds, last.exit_code()) == (10, 0, {}, 0)
    assert "unreachable" not in last.samples
    assert inspect_job(job).stats["failed"] == 0
    assert retry_failed(job) == 0


async def test_a_handler_that_fetches_from_a_dead_host_in_place_gets_the_error(autojump_clock: MockClock) -> None:
    class Asks(Busy):
        async def parse(self, response: Response) -> Any:
            return [{"status": (await self.crawl.fetch(Request("https://dead.test/api"))).status}]

    network = Network(lambda host: 1e9 if host == "dead.test" else 0)
    found = await collect(Asks(1, hosts=2, pages=20), network, settings=FAST)
    assert (found.report.pages, found.report.failed) == (0, 41)
    assert "unreachable" not in found.report.samples  # the hosts of these pages answer
    assert found.report.seconds < 120


async def test_requests_on_a_lane_of_several_hosts_end_as_well(autojump_clock: MockClock) -> None:
    class Shared(Busy):
        def start(self) -> Any:
            for number in range(20):
                yield Request(f"https://{'dead' if number % 2 else 'live'}.test/9{number}", lane="shared")

    network = Network(lambda host: 1e9 if host == "dead.test" else 0)
    found = await collect(Shared(1), network, settings=FAST)
    assert (found.report.pages, found.report.failed) == (10, 10)
    assert found.report.seconds < 80
