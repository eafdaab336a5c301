"""Outages of hosts, of DNS, of proxies and of the network, in virtual time: no page is lost, and no attempt."""

from __future__ import annotations

import logging
import math
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.examples import seeds
from support.internet import ERRORS, FAULTS, Chain, Internet, Pages, between, flapping
from trio.testing import MockClock

from crawler import Failure, Plugin, Request, Response, Settings, crawl
from crawler.decision.retry_policy import MAX_ATTEMPTS
from crawler.store.inspect import failed_requests, inspect_job, retry_failed
from crawler.testing import collect
from crawler.transport.errors import transport_error

FAST = Settings(slow_start=False)
CONNECTIONS = [name for name in FAULTS if name not in ("reset", "closed", "gateway")]
"""Faults of the connection: nothing is sent."""


async def lost(spider: Pages, internet: Internet, settings: Settings = FAST) -> list[str]:
    """Crawl, and return the pages that are lost. No page is kept twice."""
    found = await collect(spider, internet, settings=settings)
    urls = [item["url"] for item in found.items]
    assert len(urls) == len(set(urls)) == found.report.pages
    assert found.report.failed == len(spider.start_urls) - len(urls)
    return sorted(set(spider.start_urls) - set(urls))


def waits_said(caplog: pytest.LogCaptureFixture) -> int:
    """Return how often the log says that a host has served nothing."""
    return sum("has served nothing for" in record.getMessage() for record in caplog.records)


# ---- nothing is lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", seeds(5))
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outage_of_all_hosts_loses_nothing(autojump_clock: MockClock, fault: str, seed: int) -> None:
    seconds = random.Random(seed).choice([20, 60, 300])
    internet = Internet(between(2, 2 + seconds), fault, chance=random.Random(seed))
    assert await lost(Pages(12, 8), internet) == []
    assert internet.now < seconds + 60


@pytest.mark.parametrize("fault", ["refused", "closed"])
async def test_an_outage_of_an_hour_loses_nothing(autojump_clock: MockClock, fault: str) -> None:
    internet = Internet(between(2, 3602), fault)
    assert await lost(Pages(5, 8), internet, FAST | Settings(outage_patience=7200)) == []
    assert len(internet.failed) < 1500


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("hosts", [1, 2])
async def test_an_outage_of_the_only_hosts_loses_nothing(autojump_clock: MockClock, fault: str, hosts: int) -> None:
    internet = Internet(between(2, 122), fault)
    assert await lost(Pages(hosts, 60), internet) == []
    assert internet.now < 200


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outage_of_some_hosts_delays_no_other(autojump_clock: MockClock, fault: str) -> None:
    internet = Internet(between(2, 62), fault, hosts=lambda host: int(host[1:-5]) % 3 == 0)
    assert await lost(Pages(12, 20), internet, FAST | Settings(workers=64)) == []
    assert max(at for at, host in internet.answered if int(host[1:-5]) % 3) < 20


@pytest.mark.parametrize("fault", CONNECTIONS)
async def test_an_outage_at_the_start_loses_nothing(autojump_clock: MockClock, fault: str) -> None:
    assert await lost(Pages(12, 4), Internet(between(0, 20), fault)) == []


@pytest.mark.parametrize("seed", seeds(5))
@pytest.mark.parametrize("fault", FAULTS)
async def test_flapping_loses_nothing(autojump_clock: MockClock, fault: str, seed: int) -> None:
    internet = Internet(flapping(2, 1000, 5), fault, chance=random.Random(seed))
    # What was sent uses an attempt until the breaker opens, so a page may lose one each time that its host goes down.
    attempts = 1 if fault in CONNECTIONS else 6 if fault == "gateway" else 3
    assert await lost(Pages(3, 60), internet, FAST | Settings(attempts=attempts)) == []


async def test_a_request_that_may_change_something_waits_if_it_was_not_sent(autojump_clock: MockClock) -> None:
    class Posts(Pages):
        def start(self) -> Any:
            yield from (Request(url, method="POST", body=b"x") for url in self.start_urls)

    assert await lost(Posts(3, 20), Internet(between(2, 62), "refused")) == []


async def test_a_machine_that_sleeps_has_seen_no_outage(autojump_clock: MockClock) -> None:
    """After the sleep the clock has jumped, and the network comes back a little later."""
    internet = Internet(lambda at: 2 <= at < 7 or 10_000 <= at < 10_020, "servfail")

    class Sleep(Plugin):
        name = "sleep"

        async def answer(self, request: Request) -> None:
            if request.url.endswith("/5") and internet.now < 10_000:
                autojump_clock.jump(10_000 - internet.now)

    found = await collect(Pages(3, 40), internet, settings=FAST, plugins=[Sleep()])
    assert (found.report.failed, found.report.pages) == (0, 120)


# ---- robots.txt ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["servfail", "nxdomain", "refused"])
async def test_a_robots_txt_loses_no_attempt_to_an_outage(autojump_clock: MockClock, fault: str) -> None:
    internet = Internet(between(1, 40), fault)

    class Late(Pages):
        async def start(self) -> Any:
            for number, url in enumerate(self.start_urls):
                yield Request(url)
                await trio.sleep(0.05 if number < 20 else 0.5)

    assert await lost(Late(40, 2), internet, Settings(obey_robots=True)) == []


# ---- patience --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [1, 12])
async def test_after_the_patience_requests_fail_with_the_reason(autojump_clock: MockClock, hosts: int) -> None:
    internet = Internet(between(2, 1e9), "refused")
    found = await collect(Pages(hosts, 60), internet, settings=FAST | Settings(outage_patience=120))
    assert found.report.failed == hosts * 60 - found.report.pages > 0
    assert found.report.kinds == {"connect_failed.refused": found.report.failed}
    assert found.report.exit_code() == 4
    assert 120 < found.report.seconds < 200


async def test_a_job_retries_requests_that_were_given_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    internet = Internet(between(2, 1000), "nxdomain", hosts=lambda host: host == "h1.test")
    job, settings = tmp_path / "job", FAST | Settings(outage_patience=60)
    report = await crawl(Pages(3, 60), settings=settings, transport=internet, job=job)
    assert report.failed > 0
    assert inspect_job(job).failed_by_reason == {"connect_failed": report.failed}
    assert "given up" in next(iter(failed_requests(job))).message
    assert retry_failed(job) == report.failed
    await trio.sleep(1000)
    report = await crawl(Pages(3, 60), settings=settings, transport=internet, job=job)
    assert report.pages == 180


async def test_the_errback_is_called_for_each_request_of_a_host_that_was_given_up(autojump_clock: MockClock) -> None:
    class Errback(Pages):
        def start(self) -> Any:
            yield from (Request(url, errback=self.missed) for url in self.start_urls)

        def missed(self, failure: Failure) -> Any:
            yield {"missed": failure.request.url, "reason": failure.error.full_reason}

    internet = Internet(between(2, 1e9), "timeout")
    found = await collect(Errback(1, 100), internet, settings=FAST | Settings(outage_patience=60))
    missed = {item["missed"] for item in found.items if "missed" in item}
    assert len(missed) == found.report.failed > 30
    assert {item["reason"] for item in found.items if "missed" in item} == {"fetch_timeout.connect"}


# ---- a host that is plainly wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "seconds", "tries"), [("nxdomain", 6, 5), ("refused", 31, 8)])
@pytest.mark.parametrize("obey", [True, False])
async def test_a_crawl_of_a_mistyped_host_ends_soon(
    autojump_clock: MockClock, fault: str, seconds: float, tries: int, obey: bool, caplog: pytest.LogCaptureFixture
) -> None:
    internet = Internet(between(0, 1e9), fault)
    report = (await collect(Pages(1, 1), internet, settings=Settings(obey_robots=obey))).report
    assert report.seconds < seconds
    assert (report.pages, report.failed, report.exit_code()) == (0, 1, 4)
    assert 2 <= len(internet.failed) <= tries
    assert waits_said(caplog) == (fault == "refused")


@pytest.mark.parametrize("fault", ["refused", "tls", "timeout"])
@pytest.mark.parametrize("obey", [True, False])
async def test_a_start_page_waits_for_its_host_to_start(
    autojump_clock: MockClock, fault: str, obey: bool, caplog: pytest.LogCaptureFixture
) -> None:
    internet = Internet(between(0, 20), fault)
    assert await lost(Pages(1, 1), internet, Settings(obey_robots=obey)) == []
    assert internet.now < 31
    assert waits_said(caplog) <= 1  # none if no request failed between 12 and 20 s


@pytest.mark.parametrize("fault", FAULTS)
async def test_many_pages_of_a_host_that_never_answers_are_given_up_together(
    autojump_clock: MockClock, fault: str
) -> None:
    internet = Internet(between(0, 1e9), fault)
    report = (await collect(Pages(1, 300), internet)).report
    assert (report.pages, report.failed) == (0, 300)
    assert report.seconds < 110
    assert len(internet.failed) < 30


@pytest.mark.parametrize("fault", ["unreachable", "reset", "closed", "gateway"])
async def test_an_outage_of_a_minute_at_the_start_of_the_only_host_loses_nothing(
    autojump_clock: MockClock, fault: str
) -> None:
    internet = Internet(between(0, 60), fault)
    assert await lost(Pages(1, 60), internet, Settings()) == []
    assert internet.now < 120


@pytest.mark.parametrize("fault", ["nxdomain", "refused", "tls"])
async def test_links_to_wrong_hosts_do_not_hold_up_a_crawl(autojump_clock: MockClock, fault: str) -> None:
    internet = Internet(between(0, 1e9), fault, hosts=lambda host: int(host[1:-5]) % 2 == 1)
    report = (await collect(Pages(20, 3), internet)).report
    assert (report.pages, report.failed) == (30, 30)
    assert report.seconds < 120


async def test_a_crawl_that_begins_without_network_ends_after_a_while(autojump_clock: MockClock) -> None:
    report = (await collect(Pages(20, 3), Internet(between(0, 1e9), "servfail"))).report
    assert (report.pages, report.failed) == (0, 60)
    assert 80 < report.seconds < 200


async def test_an_outage_in_which_only_new_hosts_are_asked_loses_nothing(autojump_clock: MockClock) -> None:
    internet = Internet(between(1, 300), "timeout")
    assert await lost(Pages(300, 1), internet) == []
    assert internet.now < 340


async def test_a_job_that_is_resumed_without_network_waits_for_new_hosts_as_well(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    job, hosts = tmp_path / "job", Pages(400, 1)
    settings = FAST | Settings(obey_robots=False)
    with trio.move_on_after(1):
        await crawl(hosts, settings=settings, transport=Internet(between(0, 0)), job=job)
    assert 0 < inspect_job(job).stats["pages"] < 400
    report = await crawl(hosts, settings=settings, transport=Internet(between(0, 300), "timeout"), job=job)
    assert (report.pages, report.failed) == (400, 0)


# ---- stops -----------------------------------------------------------------------------------------------------------


async def test_max_seconds_ends_a_crawl_during_an_outage(autojump_clock: MockClock) -> None:
    report = await crawl(Pages(), settings=FAST | Settings(max_seconds=30), transport=Internet(between(2, 1e9)))
    assert (report.finished, report.failed) == ("max_seconds", 0)
    assert report.seconds <= 41


@pytest.mark.parametrize("seed", seeds(7, least=2))
@pytest.mark.parametrize("fault", ["refused", "nxdomain", "reset"])
async def test_a_job_that_is_killed_during_an_outage_loses_nothing(
    autojump_clock: MockClock, tmp_path: Path, fault: str, seed: int
) -> None:
    chance = random.Random(seed)
    internet, spider = Internet(between(2, 100), fault, chance=chance), Pages(4, 30)
    settings = FAST | Settings(obey_robots=bool(seed % 2))
    report = None
    while report is None:
        with trio.move_on_after(chance.uniform(3, 40)):
            report = await crawl(Pages(4, 30), settings=settings, transport=internet, job=tmp_path / "job")
    assert (report.pages, report.failed) == (len(spider.start_urls), 0)


# ---- proxies ---------------------------------------------------------------------------------------------------------


class ProxiedInternet(Internet):
    """An internet whose proxies are down, not its hosts."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = str(request.extensions.get("proxy", ""))
        if "dead" in proxy and self.down(self.now):
            self.failed.append((self.now, request.url.host))
            words = "connection refused by the proxy"
            raise transport_error(
                httpx.ConnectError, words, request=request, sent=False, kind="refused", proxy_fault="proxy"
            )
        await trio.sleep(0.2)
        self.answered.append((self.now, request.url.host))
        return httpx.Response(200, content=b"x")


async def test_a_dead_proxy_rests_once_for_all_hosts(autojump_clock: MockClock) -> None:
    internet = ProxiedInternet(between(2, 302))
    proxies = {"*.test": "http://dead.test:3128", "*": "direct"}
    assert await lost(Pages(20, 20), internet, FAST | Settings(proxies=proxies)) == []
    assert len(internet.failed) < 60, "one probe at a time, however many hosts"


async def test_the_log_says_that_all_proxies_are_down_and_that_one_answers_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    internet = ProxiedInternet(between(0.8, 60))
    proxies = ["http://dead.test:3128", "http://dead.test:3129"]
    with caplog.at_level(logging.WARNING, "crawler"):
        assert await lost(Pages(2, 60), internet, FAST | Settings(proxies=proxies, obey_robots=False)) == []
    down, back = (record.message for record in caplog.records)
    assert down.startswith("the proxies dead.test:3128, dead.test:3129 have been down since ")
    assert back.startswith("one of the proxies dead.test:3128, dead.test:3129 answers again after ")


async def test_hosts_that_need_no_dead_proxy_do_not_wait(autojump_clock: MockClock) -> None:
    internet = ProxiedInternet(between(2, 302))
    proxies = {"h1.test": "http://dead.test:3128"}
    assert await lost(Pages(4, 60), internet, FAST | Settings(proxies=proxies)) == []
    assert max(at for at, host in internet.answered if host != "h1.test") < 30


async def test_a_wrong_proxy_ends_a_crawl_soon(autojump_clock: MockClock) -> None:
    internet = ProxiedInternet(between(0, 1e9))
    settings = FAST | Settings(proxies="http://dead.test:3128")
    report = (await collect(Pages(1, 1), internet, settings=settings)).report
    assert report.failed == 1
    assert report.seconds < 6


# ---- gateways whose host is down -------------------------------------------------------------------------------------


class Broken(httpx.AsyncBaseTransport):
    """A gateway that reaches its host, except for some pages.

    Parameters:
        pages: The other pages, by path.
        status: The status of their responses.
    """

    def __init__(self, pages: set[str], status: int = 504) -> None:
        self.pages = pages
        self.status = status
        self.log: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.1)
        self.log.append(request.url.path)
        return httpx.Response(self.status if request.url.path in self.pages else 200, content=b"x")


async def test_pages_for_which_a_gateway_never_gets_a_response_cost_their_attempts_only(
    autojump_clock: MockClock,
) -> None:
    gateway, spider = Broken({"/3", "/4"}), Pages(1, 60)
    found = await collect(spider, gateway, settings=FAST)
    assert (found.report.pages, found.report.failed, found.report.kinds) == (58, 2, {"status_504": 2})
    # At the end they are the only requests, so failures seem to come at random, for which there are more attempts.
    assert all(3 <= gateway.log.count(page) <= MAX_ATTEMPTS for page in ("/3", "/4"))
    assert found.report.seconds < 60


async def test_errors_of_a_gateway_that_a_spider_accepts_are_pages_and_no_outage(autojump_clock: MockClock) -> None:
    class Accepts(Pages):
        accept_status = (504,)

    gateway = Broken({f"/{number}" for number in range(60)})
    found = await collect(Accepts(1, 60), gateway, settings=FAST)
    assert (found.report.pages, found.report.failed) == (60, 0)
    assert found.report.seconds < 5


class BrokenNode(httpx.AsyncBaseTransport):
    """A load balancer of three nodes, one of which answers everything with an error.

    Parameters:
        status: The status of the error.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        is_broken = self.requests % 3 == 0
        await trio.sleep(0.1)
        return httpx.Response(self.status if is_broken else 200, content=b"x")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_broken_node_of_a_load_balancer_costs_no_page(autojump_clock: MockClock, status: int) -> None:
    gateway = BrokenNode(status)
    report = (await collect(Pages(1, 300), gateway)).report
    assert (report.pages, report.failed) == (300, 0)
    assert gateway.requests < 470


# ---- hosts that are up and serve no page -----------------------------------------------------------------------------


class Serves(Internet):
    """Fails for a while as soon as it has served a number of responses.

    Parameters:
        served: The number.
        seconds: Duration of the failure.
        fault: Its name.
    """

    def __init__(self, served: int, seconds: float, fault: str) -> None:
        super().__init__(between(0, 0), fault)
        self.served, self.seconds, self.began = served, seconds, math.inf

    def is_down(self, request: httpx.Request) -> bool:
        if self.began == math.inf and len(self.answered) >= self.served:
            self.began = self.now
        return self.began <= self.now < self.began + self.seconds


@pytest.mark.parametrize("seconds", [10, 25])
@pytest.mark.parametrize("fault", ERRORS)
async def test_a_host_that_answers_each_request_with_an_error_for_a_while_loses_no_page(
    autojump_clock: MockClock, fault: str, seconds: float
) -> None:
    for served in (2, 20, 40):
        internet = Serves(served, seconds, fault)
        assert await lost(Pages(1, 60), internet, Settings()) == []
        assert len(internet.failed) <= 30


@pytest.mark.parametrize("seconds", [10, 25])
@pytest.mark.parametrize("fault", [*FAULTS, *ERRORS])
async def test_a_chain_of_pages_survives_an_outage_of_its_host(
    autojump_clock: MockClock, fault: str, seconds: float
) -> None:
    internet = Serves(10, seconds, fault)
    found = await collect(Chain(), internet)
    assert [item["number"] for item in found.items] == list(range(41))
    assert len(internet.failed) <= 20


@pytest.mark.parametrize("fault", ["closed", "gateway", "error", "unavailable"])
async def test_a_chain_survives_an_outage_in_which_its_job_is_stopped(
    autojump_clock: MockClock, fault: str, tmp_path: Path
) -> None:
    internet, job = Serves(10, 25, fault), tmp_path / "job"
    with trio.move_on_after(15):
        await crawl(Chain(), transport=internet, job=job)
    report = await crawl(Chain(), transport=internet, job=job)
    assert (report.pages, report.failed) == (41, 0)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("closed", 150), ("gateway", 150), ("error", 150), ("unavailable", 5_500)],  # the last may be that of a limit
)
async def test_a_chain_that_ends_at_a_broken_page_is_given_up(
    autojump_clock: MockClock, fault: str, seconds: float
) -> None:
    report = (await collect(Chain(), Serves(10, 1e9, fault))).report
    assert (report.pages, report.failed) == (9, 1)
    assert 25 < report.seconds < seconds


async def test_broken_pages_of_a_chain_that_continues_cost_two_minutes_in_total(autojump_clock: MockClock) -> None:
    site = Broken({f"/{number}" for number in range(4, 40, 5)}, 500)
    report = (await collect(Chain(past_failures=True), site)).report
    assert (report.pages, report.failed) == (33, 8)
    assert report.seconds < 120


async def test_a_number_of_attempts_that_was_asked_for_is_kept_in_a_chain(autojump_clock: MockClock) -> None:
    internet = Serves(10, 1e9, "error")
    report = (await collect(Chain(), internet, settings=Settings(attempts=2))).report
    assert (report.failed, len(internet.failed)) == (1, 2)


async def test_a_host_that_answers_nothing_but_errors_is_given_up_after_a_minute(autojump_clock: MockClock) -> None:
    internet = Serves(20, 1e9, "error")
    report = (await collect(Pages(1, 60), internet)).report
    assert (report.pages, report.kinds) == (19, {"status_500": 41})
    assert report.seconds < 60


async def test_broken_pages_do_not_hold_up_the_end_of_a_crawl(autojump_clock: MockClock) -> None:
    site, spider = Broken({f"/{number}" for number in range(0, 50, 5)}, 500), Pages(1, 60)
    report = (await collect(spider, site, settings=FAST)).report
    assert (report.pages, report.kinds) == (50, {"status_500": 10})
    assert report.seconds < 10


@pytest.mark.parametrize("count", [60, 120])
@pytest.mark.parametrize("status", [0, 502, 504])
async def test_broken_pages_without_a_response_do_not_hold_up_the_end_of_a_crawl_for_long(
    autojump_clock: MockClock, status: int, count: int
) -> None:
    """They failed before the host answered others, so they are no sign of an outage of that host."""

    class Closes(Broken):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if response.status_code != 200 and not status:
                raise httpx.RemoteProtocolError("server disconnected", request=request)
            return response

    site, spider = Closes({f"/{number}" for number in range(0, count, 5)}, status or 504), Pages(1, count)
    report = (await collect(spider, site)).report
    assert (report.pages, report.failed) == (count - count // 5, count // 5)
    assert report.seconds < 100


async def test_a_start_page_that_is_never_available_fails_after_ten_minutes(autojump_clock: MockClock) -> None:
    report = (await collect(Pages(1, 1), Broken({"/0", "/1"}, 503))).report
    assert report.failed == 1
    assert 600 <= report.seconds < 610


@pytest.mark.parametrize("fault", ["unavailable", "maintained"])
async def test_a_limit_that_an_update_of_a_site_seemed_to_show_is_soon_refuted(
    autojump_clock: MockClock, fault: str
) -> None:
    internet = Serves(20, 30, fault)
    assert await lost(Pages(1, 300), internet, Settings()) == []
    assert internet.now < 180


# ---- messages and statistics -----------------------------------------------------------------------------------------


async def test_the_log_says_once_that_the_network_is_down_and_once_that_it_is_back(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await lost(Pages(), Internet(between(2, 62), "unreachable")) == []
    words = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(words) == 2
    assert words[0].startswith("network down since ")
    assert words[0].endswith(", trying every 5 s: [Errno 101] network is unreachable")
    assert words[1].startswith("network back after 6")


async def test_the_log_says_once_that_a_host_is_down_and_once_that_it_is_back(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    internet = Internet(between(2, 62), "refused", hosts=lambda host: host == "h0.test")
    with caplog.at_level(logging.WARNING, "crawler"):
        assert await lost(Pages(2, 60), internet, FAST | Settings(obey_robots=False)) == []
    down, back = (record.message for record in caplog.records)
    assert down.startswith("https://h0.test has been down since ")
    assert "refused" in down
    assert back.startswith("https://h0.test answers again after ")


async def test_statistics_and_the_report_say_why_a_host_waits(autojump_clock: MockClock) -> None:
    seen: list[Any] = []

    class Look(Plugin):
        name = "look"

        def measure(self, usage: Any) -> None:
            if usage.event == "error":
                seen.append(self.crawl.control.statistics())

    internet = Internet(between(2, 62), "refused", hosts=lambda host: host == "h1.test")
    found = await collect(Pages(2, 200), internet, settings=FAST, plugins=[Look()])
    assert found.report.failed == 0
    last = seen[-1]
    assert last.outages["https://h1.test"].error == "[Errno 111] refused"
    assert last.limits["https://h1.test"].blocked_by == "outage"
    assert last.limits["https://h1.test"].ready_at == last.outages["https://h1.test"].next_probe
    assert 40 < found.report.lanes["https://h1.test"]["waited"]["outage"] < 95  # the last probe may be 30 s late
    assert "outage" not in found.report.lanes["https://h0.test"]["waited"]


# ---- inline fetches --------------------------------------------------------------------------------------------------


class Asks(Pages):
    """Asks another host about each page."""

    async def parse(self, response: Response) -> Any:
        host, page = response.url.removeprefix("https://").split("/")
        found = await self.crawl.fetch(Request(f"https://api.test/{host}/{page}"))
        return [{"url": response.url}] if found.status == 200 else None


@pytest.mark.parametrize("fault", ["refused", "reset", "gateway"])
@pytest.mark.parametrize("inline_wait", [5, 1000])
async def test_a_page_waits_or_is_put_off_while_the_host_of_its_inline_fetch_is_down(
    autojump_clock: MockClock, fault: str, inline_wait: float
) -> None:
    internet = Internet(between(2, 62), fault, hosts=lambda host: host == "api.test")
    assert await lost(Asks(3, 40), internet, FAST | Settings(attempts=2, inline_wait=inline_wait)) == []
    assert len(internet.failed) < 80


@pytest.mark.parametrize("fault", ["gateway", "refused"])
async def test_the_deadline_of_a_handler_is_kept_while_the_host_of_its_inline_fetch_is_down(
    autojump_clock: MockClock, fault: str
) -> None:
    waits: list[float] = []

    class Hurries(Asks):
        async def parse(self, response: Response) -> Any:
            began = trio.current_time()
            try:
                with trio.fail_after(8.0):
                    return await super().parse(response)
            finally:
                waits.append(trio.current_time() - began)

    internet = Internet(between(2, 62), fault, hosts=lambda host: host == "api.test")
    assert await lost(Hurries(3, 40), internet, FAST | Settings(attempts=4, inline_wait=1000)) == []
    assert max(waits) < 8.0, "the fetch fails at once if the wait would outlast the scope, and the page is put off"


async def test_a_handler_that_abandons_its_probe_does_not_block_the_host(autojump_clock: MockClock) -> None:
    class Asks(Pages):
        async def parse(self, response: Response) -> Any:
            for _ in range(4):
                with trio.move_on_after(3):
                    await self.crawl.fetch(Request("https://h0.test/api"))
                    break
            return [{"url": response.url}]

    internet = Internet(between(2, 62), "timeout", hosts=lambda host: host == "h0.test")
    assert await lost(Asks(2, 20), internet) == []
