"""Crawls of servers with limits: requests are not refused needlessly, and refused requests are sent again."""

from __future__ import annotations

import itertools
import json
import math
import random
import sqlite3
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from support.examples import sample
from support.faulty_server import KINDS, FaultyServer, shortest_time
from support.trees import FREE, Follow
from support.virtual import run_virtually, seeded
from trio.testing import MockClock

from crawler import (
    Failure,
    Limits,
    Pace,
    Plugin,
    Produced,
    Request,
    Response,
    RetryPolicy,
    Settings,
    Spider,
    Usage,
    client,
    crawl,
)
from crawler.testing import FakeSite, Page, collect


@attrs.define
class Limited(httpx.AsyncBaseTransport):
    """A server with fixed windows that declares them as in the sixth draft and counts its requests."""

    limit: int = 20
    window: float = 5.0
    says: bool = True
    key: bool = False
    """Whether all hosts share one quota."""
    status: int = 429
    """The status of refusals."""
    served: list[str] = attrs.field(factory=list)
    refused: list[str] = attrs.field(factory=list)
    windows: dict[str, tuple[float, int]] = attrs.field(factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.05)
        now = trio.current_time()
        host = "" if self.key else request.url.host
        opened, used = self.windows.get(host, (-math.inf, 0))
        if now >= opened + self.window:
            opened, used = now, 0
        fits = used < self.limit
        self.windows[host] = opened, used + fits
        reset = math.ceil(opened + self.window - now)
        fields = {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.limit - used - fits)}
        fields |= {"RateLimit-Reset": str(reset), "RateLimit-Policy": f"{self.limit};w={self.window:g}"}
        (self.served if fits else self.refused).append(str(request.url))
        await trio.sleep(0.05)
        if not fits:
            return httpx.Response(self.status, headers={"Retry-After": str(reset)} if self.says else {})
        return httpx.Response(200, headers=fields if self.says else {}, content=b"x")


class Pages(Spider):
    """Requests numbered pages of one or several hosts."""

    settings = FREE

    def __init__(self, n: int = 100, hosts: int = 1, **options: Any) -> None:
        super().__init__()
        self.n, self.hosts, self.options = n, hosts, options

    def start(self) -> Iterator[Request]:
        for number in range(self.n):
            yield Request(f"https://h{number % self.hosts}.test/{number}", **self.options)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


async def test_a_declared_quota_is_used_fully_and_never_exceeded(autojump_clock: MockClock) -> None:
    server = Limited()
    report = await crawl(Pages(), transport=server)
    assert (report.pages, report.failed, server.refused) == (100, 0, [])
    assert len(set(server.served)) == len(server.served) == 100
    assert report.seconds <= 20 * 1.05
    lane = report.lanes["https://h0.test"]
    assert lane["refusals"] == 0
    assert lane["waited"]["pace"] > 10
    [quota] = lane["quotas"].values()
    assert (quota["limit"], quota["window"], quota["kind"]) == (20, 5, "fixed")


async def test_an_undeclared_limit_costs_few_refusals_and_no_page(autojump_clock: MockClock) -> None:
    server = Limited(says=False)
    report = await crawl(Pages(200), transport=server)
    assert (report.pages, report.failed) == (200, 0)
    assert sorted(server.served) == sorted({f"https://h0.test/{n}" for n in range(200)})
    assert len(server.refused) <= 8 + 3
    assert report.lanes["https://h0.test"]["refusals"] == len(server.refused)


async def test_a_refusal_uses_no_attempt_and_the_request_keeps_its_place(autojump_clock: MockClock) -> None:
    seen: list[tuple[str, int]] = []

    class Look(Pages):
        def parse(self, response: Response) -> Produced:
            seen.append((response.url, response.attempt))

    site = FakeSite({"https://h0.test/0": [*[Page(status=429, headers={"Retry-After": "7"})] * 2, "x"]}
                    | {f"https://h0.test/{n}": "x" for n in range(1, 4)})  # fmt: skip
    report = await crawl(Look(4, attempts=1), settings=Settings(per_host=1), transport=site.transport)
    assert report.failed == 0
    assert seen[0] == ("https://h0.test/0", 1)
    assert [visit.at for visit in site.visits("https://h0.test/0")] == pytest.approx([7 * n for n in range(3)], abs=3.0)


async def test_a_lane_that_waits_for_an_hour_delays_no_other(autojump_clock: MockClock) -> None:
    hosts = 50
    pages: dict[str, Any] = {f"https://h{n}.test/{n + hosts * m}": "x" for n in range(hosts) for m in range(10)}
    free = await crawl(Pages(500, hosts), settings=Settings(workers=4), transport=FakeSite(pages).transport)
    blocked = pages | {"https://h7.test/7": [Page(status=429, headers={"Retry-After": "3600"}), "x"]}
    times: dict[str, float] = {}

    class Timed(Pages):
        def parse(self, response: Response) -> Produced:
            times[response.url] = trio.current_time() - started

    started = trio.current_time()
    report = await crawl(Timed(500, hosts), settings=Settings(workers=4), transport=FakeSite(blocked).transport)
    assert (report.pages, report.failed) == (500, 0)
    others = max(at for url, at in times.items() if "//h7." not in url)
    assert others <= max(free.seconds * 1.02, 0.001)
    assert 3600 <= report.seconds <= 3602


async def test_a_host_that_refuses_everything_stalls_and_its_requests_fail_at_once(
    autojump_clock: MockClock,
) -> None:
    failures: list[str] = []

    class Fails(Pages):
        def start(self) -> Iterator[Request]:
            for request in super().start():
                yield request.replace(errback="lost")

        def lost(self, failure: Failure) -> None:
            failures.append(failure.reason)

    site = FakeSite({f"https://h0.test/{n}": Page(status=503) for n in range(300)})
    report = await crawl(Fails(300), transport=site.transport)
    assert report.pages == 0
    assert report.failed == len(failures) == 300
    assert failures.count("refused") > 200
    assert report.seconds < 2 * 3600
    assert len(site.log) < 150


async def test_lanes_share_a_budget_that_is_neither_exceeded_nor_wasted(autojump_clock: MockClock) -> None:
    server = Limited(key=True)
    report = await crawl(Pages(100, hosts=5, quotas={"key:A": 1}), transport=server)
    assert (report.pages, report.failed, server.refused) == (100, 0, [])
    assert report.seconds <= 20 * 1.3
    assert [quota["limit"] for quota in report.lanes["key:A"]["quotas"].values()] == [20]


async def test_a_budget_has_its_own_pace_and_expensive_requests_wait_longer(autojump_clock: MockClock) -> None:
    pacing = {"points": Pace(rate="60/min")}
    site = FakeSite({f"https://h{n % 3}.test/{n}": "x" for n in range(30)})
    started = trio.current_time()
    report = await crawl(
        Pages(30, hosts=3, quotas={"points": 2}), settings=Settings(pacing=pacing), transport=site.transport
    )
    assert report.pages == 30
    assert 29 * 2 <= trio.current_time() - started <= 30 * 2 + 1
    starts = sorted(visit.at for visit in site.log)
    assert min(b - a for a, b in itertools.pairwise(starts)) >= 2 - 1e-6


async def test_crawls_with_the_same_limits_share_a_budget(autojump_clock: MockClock) -> None:
    server = Limited(key=True, limit=10)
    limits = Limits()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(lambda: crawl(Pages(30, hosts=2, quotas={"k": 1}), transport=server, limits=limits))
    assert len(server.served) == 60
    assert len(server.refused) <= 2


async def test_a_crawl_and_a_client_with_the_same_limits_share_the_slots_of_a_lane(autojump_clock: MockClock) -> None:
    busy, peak, served = 0, 0, 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal busy, peak, served
        busy += 1
        peak = max(peak, busy)
        await trio.sleep(0.05)
        busy -= 1
        served += 1
        return httpx.Response(200, text="x")

    server = httpx.MockTransport(handler)
    limits = Limits({"*.test": Pace(concurrency=3)})
    urls = [f"https://h0.test/by-hand/{n}" for n in range(60)]

    async def by_hand() -> None:
        async with client(transport=server, limits=limits) as http:
            async for _ in http.map(urls):
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(by_hand)
        nursery.start_soon(lambda: crawl(Pages(60), transport=server, limits=limits, settings=FREE))
    assert served == 120
    assert peak == 3


async def test_the_second_run_of_a_job_knows_the_learned_limits_of_the_first(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    server = Limited(says=False)
    first = await crawl(Pages(150), settings=Settings(max_pages=80), job=tmp_path / "job", transport=server)
    assert first.finished == "max_pages"
    refused = len(server.refused)
    assert refused > 0
    await trio.sleep(60)
    second = await crawl(Pages(150), job=tmp_path / "job", transport=server)
    assert (second.pages, second.failed) == (150, 0)
    assert len(server.refused) - refused <= 1


async def test_measure_sees_the_state_of_quotas(autojump_clock: MockClock) -> None:
    seen: list[Usage] = []

    class Meter(Plugin):
        def measure(self, usage: Usage) -> None:
            seen.append(usage)

    await crawl(Pages(40), plugins=[Meter()], transport=Limited())
    kinds = {usage.event for usage in seen}
    assert {"answer", "low"} <= kinds
    low = next(usage for usage in seen if usage.event == "low")
    assert low.scope == low.lane == "https://h0.test"
    assert low.quota is not None
    assert low.quota.limit == 20
    assert low.quota.remaining < 4
    answers = [usage for usage in seen if usage.event == "answer"]
    assert len(answers) == 40
    [policy] = answers[5].quotas["https://h0.test"].values()
    assert policy["remaining"] == 14


async def test_a_lane_starts_with_one_request_and_adds_more_with_each_response(autojump_clock: MockClock) -> None:
    flying: list[int] = []
    now = 0

    async def page(request: httpx.Request) -> str:
        nonlocal now
        now += 1
        flying.append(now)
        await trio.sleep(1)
        now -= 1
        return "x"

    site = FakeSite({f"https://h0.test/{n}": page for n in range(60)})
    await crawl(Pages(60), transport=site.transport)
    assert flying[:3] == [1, 1, 2]
    assert max(flying) == 8


@pytest.mark.parametrize(("takes", "alone"), [(0.2, 0.2), (3.0, 0.5)])
async def test_a_number_of_requests_that_is_given_follows_the_first_response(
    takes: float, alone: float, autojump_clock: MockClock
) -> None:
    starts: list[float] = []

    async def page(request: httpx.Request) -> str:
        starts.append(trio.current_time())
        await trio.sleep(takes)
        return "x"

    site = FakeSite({f"https://h0.test/{n}": page for n in range(20)})
    await crawl(Pages(20), transport=site.transport, settings=Settings(per_host=6))
    assert starts[0] == 0.0
    assert starts[1:6] == pytest.approx([alone] * 5)


async def test_a_limit_that_the_first_response_declares_is_kept_by_all_others(autojump_clock: MockClock) -> None:
    flying: list[int] = []
    now = 0

    async def page(request: httpx.Request) -> Page:
        nonlocal now
        now += 1
        flying.append(now)
        await trio.sleep(0.1)
        now -= 1
        return Page("x", headers={"X-Concurrency-Limit": "3"})

    site = FakeSite({f"https://h0.test/{n}": page for n in range(30)})
    report = await crawl(Pages(30), transport=site.transport, settings=Settings(per_host=20))
    assert max(flying) == 3
    assert "refusal" not in report.lanes["https://h0.test"]["waited"]


async def test_the_retry_policy_can_be_replaced(autojump_clock: MockClock) -> None:
    class Never(RetryPolicy):
        def goes_back(self, request: Request, error: Any, refusals: int) -> bool:
            return False

        def wait(self, request: Request, attempts: int, error: Any) -> float | None:
            return None

    class Once(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> Any:
            crawl.control.retries = Never(crawl.settings)
            yield

    site = FakeSite({"/": [Page(status=429), "x"]})
    found = await collect(Follow(), site, plugins=[Once()])
    assert (found.report.failed, len(site.log)) == (1, 1)


async def test_limits_in_a_json_body_count_if_the_pace_enables_them(autojump_clock: MockClock) -> None:
    throttled = Page({"errors": [{"extensions": {"code": "THROTTLED"}}]})
    cost = {
        "extensions": {"cost": {"throttleStatus": {"maximumAvailable": 50, "currentlyAvailable": 1, "restoreRate": 2}}}
    }
    pages = {"https://h0.test/0": [throttled, Page(cost)], "https://h0.test/1": Page({"data": 1})}
    settings = Settings(pacing={"h0.test": Pace(bodies=True, concurrency=1)})
    site = FakeSite(pages)
    report = await crawl(Pages(2), settings=settings, transport=site.transport)
    assert (report.pages, report.failed) == (2, 0)
    assert [visit.url[-1] for visit in site.log] == ["0", "0", "1"]
    lane = report.lanes["https://h0.test"]
    assert lane["refusals"] == 1
    assert lane["quotas"]["graphql"]["rate"] == 2
    plain = await crawl(Pages(2), transport=FakeSite(pages).transport)
    assert plain.lanes["https://h0.test"]["refusals"] == 1, "the answer to a query of GraphQL is read anyway"
    others = {"https://h0.test/0": [Page({"error": "ratelimited"}), "x"], "https://h0.test/1": "x"}
    plain = await crawl(Pages(2), transport=FakeSite(others).transport)
    assert plain.lanes["https://h0.test"]["refusals"] == 0


async def test_a_pace_may_declare_further_statuses_as_refusals(autojump_clock: MockClock) -> None:
    site = FakeSite({"https://h0.test/0": [Page({"errors": "x"}, status=400), "x"]})
    settings = Settings(pacing={"h0.test": Pace(refusals=(400,))})
    report = await crawl(Pages(1), settings=settings, transport=site.transport)
    assert (report.pages, report.failed, report.lanes["https://h0.test"]["refusals"]) == (1, 0, 1)


async def test_the_wait_in_the_body_of_a_refusal_is_kept(autojump_clock: MockClock) -> None:
    told = Page({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 40_000}, status=429)
    site = FakeSite({"https://h0.test/0": [told, "x"]})
    await crawl(Pages(1), transport=site.transport)
    assert 40 <= site.log[1].at - site.log[0].at <= 42


async def test_crawls_that_share_a_budget_wake_each_other_and_release_it(autojump_clock: MockClock) -> None:
    limits, server = Limits(), Limited(limit=5, key=True)
    reports = []

    async def run(host: str, n: int) -> None:
        class Own(Pages):
            def start(self) -> Iterator[Request]:
                yield from (Request(f"https://{host}.test/{number}", quotas={"key": 1.0}) for number in range(n))

        reports.append(await crawl(Own(), transport=server, limits=limits))

    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "a", 12)
            nursery.start_soon(run, "b", 40)
    assert sorted(report.pages for report in reports) == [12, 40]
    assert [throttle.watchers for throttle in limits.throttles.values()] == [()] * 3


async def test_budgets_of_a_job_outlive_runs_without_them_and_are_probed_after_a_crash(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    job, left = tmp_path / "job", []

    class Keys(Pages):
        def start(self) -> Iterator[Request]:
            yield Request("https://h0.test/a", quotas={"key:A": 1.0})
            yield Request("https://h0.test/b", quotas={"key:B": 1.0})
            yield Request("https://h0.test/c", quotas={"key:B": 1.0}, timeout=0.01, attempts=1)

    class Look(Plugin):
        name = "look"

        async def fetch(self, request: Request, send: Any) -> None:
            [budget] = [self.crawl.control.statistics().limits[name] for name in request.quotas]
            left.append([policy.get("remaining") for policy in budget.policies.values()])

    for n in range(3):
        settings = Settings(max_pages=2 if n == 0 else None, per_host=1, workers=1)
        await crawl(Keys(), job=job, transport=Limited(key=True), settings=settings, plugins=[Look()])
        database = sqlite3.connect(job / "job.sqlite")
        with database:
            [[budgets]] = database.execute("SELECT value FROM meta WHERE name = 'note:budgets'")
            database.execute("UPDATE meta SET value = 0 WHERE name = 'clean'")
        database.close()
        assert set(json.loads(budgets)) == {"key:A", "key:B"}
    assert left == [[], [], [None]]


async def test_a_redirect_that_is_a_refusal_is_not_followed(autojump_clock: MockClock) -> None:
    away = Page(status=302, headers={"Location": "https://h0.test/busy"})
    site = FakeSite({"https://h0.test/0": [away, "x"], "https://h0.test/busy": "come back later"})
    settings = Settings(pacing={"h0.test": Pace(refusals=(302,))})
    report = await crawl(Pages(1), settings=settings, transport=site.transport)
    assert (report.pages, report.statuses) == (1, {200: 1, 302: 1})
    assert not site.visits("https://h0.test/busy")


async def test_broken_pages_are_not_mistaken_for_a_limit(autojump_clock: MockClock) -> None:
    pages: dict[str, Any] = {f"https://h0.test/{n}": Page("x", delay=0.1) for n in range(300)}
    for n in range(25, 300, 20):
        pages[f"https://h0.test/{n}"] = [Page(status=503, delay=0.1), Page("x", delay=0.1)]
    report = await crawl(Pages(300), transport=FakeSite(pages).transport)
    assert (report.pages, report.failed) == (300, 0)
    lane = report.lanes["https://h0.test"]
    assert lane["refusals"] == 14
    assert lane["quotas"] == {}
    assert report.seconds < 8  # 4 s without broken pages


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seed", sample(1, range(3)))
async def test_pages_that_are_refused_at_first_delay_no_other_page(
    seed: int, status: int, autojump_clock: MockClock
) -> None:
    """One page in ten is refused once, without a stated wait. No limit explains that; without them it takes 5 s."""
    chance = random.Random(seed)
    pages: dict[str, Any] = {}
    for n in range(400):
        page = Page("x", delay=chance.uniform(0.05, 0.15))
        refused = [Page(status=status, delay=0.05)] if chance.random() < 0.1 else []
        pages[f"https://h0.test/{n}"] = [*refused, page]
    report = await crawl(Pages(400), transport=FakeSite(pages).transport)
    assert (report.pages, report.failed) == (400, 0)
    assert report.seconds <= 17


@pytest.mark.parametrize(
    ("settings", "seeds", "typical", "worst"),
    sample(
        1,
        [
            pytest.param(Settings(), range(6), 0.6, 0.35, id="default"),
            pytest.param(Settings(per_host=8), range(10, 16), 0.7, 0.4, id="per_host"),
        ],
    ),
)
async def test_mixed_faults_at_random_starve_no_crawl(
    settings: Settings, seeds: range, typical: float, worst: float, autojump_clock: MockClock
) -> None:
    """Parts of the throughput that the faults leave possible: the median of six crawls, and the worst of them.

    A crawl of 300 pages takes 15 seconds at least; some of them go by until the faults have proved to come at random.
    """
    efficiency, lost, shares = [], 0, dict.fromkeys(KINDS, 0.1)
    for seed in seeds:
        server = FaultyServer(random.Random(seed), shares)
        report = await crawl(Pages(300), transport=server, settings=settings | Settings(obey_robots=False))
        best = shortest_time(FaultyServer(random.Random(seed), shares), 300, 8)
        efficiency.append(best / report.seconds)
        lost += report.failed
    assert sorted(efficiency)[3] >= typical
    assert min(efficiency) >= worst
    assert lost <= 4


@pytest.mark.parametrize(
    ("kinds", "seed"),
    [(KINDS, 16), (KINDS, 18), (("429", "drip"), 6)],
    ids=["quota", "refusals in a row", "slow bodies"],
)
async def test_a_limit_that_chance_has_shown_starves_no_crawl(
    kinds: tuple[str, ...], seed: int, autojump_clock: MockClock
) -> None:
    """Crawls whose first refusals look like those of a limit."""
    shares = dict.fromkeys(kinds, 0.1)
    server = FaultyServer(random.Random(seed), shares)
    report = await crawl(Pages(300), transport=server, settings=Settings(obey_robots=False))
    best = shortest_time(FaultyServer(random.Random(seed), shares), 300, 8)
    assert best / report.seconds >= 0.35


@pytest.mark.parametrize(
    ("share", "seed"),
    sample(2, [(0.2, 15), (0.3, 22), (0.2, 22), (0.2, 29), (0.2, 35), (0.3, 6), (0.3, 8), (0.3, 4), (0.3, 13)]),
)
def test_refusals_at_random_starve_no_crawl(share: float, seed: int) -> None:
    """These crawls reached a hundredth to a tenth of the possible throughput: few refusals looked like a limit."""
    shares = {"429": share}
    server, settings = FaultyServer(random.Random(seed), shares), Settings(obey_robots=False)
    best = shortest_time(FaultyServer(random.Random(seed), shares), 300, 8)
    report = run_virtually(lambda: crawl(Pages(300), transport=server, settings=settings), randomness=seeded(seed))
    assert report.pages == 300
    assert best / report.seconds >= (0.2 if share == 0.2 else 0.15)


@pytest.mark.parametrize(("share", "seed", "least"), sample(1, [(0.01, 1, 0.27), (0.02, 17, 0.35), (0.03, 17, 0.6)]))
def test_rare_refusals_at_random_prove_no_leaky_bucket_for_ever(share: float, seed: int, least: float) -> None:
    """These crawls reached a fifth of the possible throughput: each refusal confirmed a rate that was far too low."""
    shares = {"429": share}
    server, settings = FaultyServer(random.Random(seed), shares), Settings(obey_robots=False)
    best = shortest_time(FaultyServer(random.Random(seed), shares), 1500, 8)
    report = run_virtually(lambda: crawl(Pages(1500), transport=server, settings=settings), randomness=seeded(seed))
    assert report.pages == 1500
    assert best / report.seconds >= least


def test_connections_that_break_at_random_delay_no_crawl() -> None:
    """The last pages of a crawl waited five seconds after each second failure in a row: a third was reached."""
    efficiency, shares, settings = [], {"reset": 0.2}, Settings(obey_robots=False)
    for seed in range(7):
        server = FaultyServer(random.Random(seed), shares)
        report = run_virtually(
            lambda made=server: crawl(Pages(300), transport=made, settings=settings), randomness=seeded(seed)
        )
        assert report.pages == 300
        efficiency.append(shortest_time(FaultyServer(random.Random(seed), shares), 300, 8) / report.seconds)
    assert sorted(efficiency)[3] >= 0.6


@pytest.mark.parametrize("shares", sample(1, [{"cut": 0.1, "503": 0.1}, {"drip": 0.2, "cut": 0.1}]))
async def test_two_faults_at_random_starve_no_crawl(shares: dict[str, float], autojump_clock: MockClock) -> None:
    efficiency = []
    for seed in range(5):
        server = FaultyServer(random.Random(seed), shares)
        settings = Settings(per_host=8, obey_robots=False)
        report = await crawl(Pages(300), transport=server, settings=settings)
        assert report.failed <= 2
        efficiency.append(shortest_time(FaultyServer(random.Random(seed), shares), 300, 8) / report.seconds)
    assert sorted(efficiency)[2] >= 0.45


@pytest.mark.parametrize("window", [1.0, 5.0, 15.0])
async def test_a_server_that_refuses_with_403_loses_no_page_if_configured(
    window: float, autojump_clock: MockClock
) -> None:
    site = Limited(window=window, says=False, status=403)
    settings = Settings(pacing={"h0.test": Pace(refusals=(403,))})
    report = await crawl(Pages(), transport=site, settings=settings)
    assert (report.finished, report.pages, report.failed) == ("finished", 100, 0)
    assert len(site.refused) <= 2 * (8 + 3)
    assert report.seconds <= 2 * 4 * window


@pytest.mark.parametrize("window", [1.0, 5.0, 15.0])
async def test_a_server_that_refuses_with_403_loses_no_page_by_default(
    window: float, autojump_clock: MockClock
) -> None:
    site = Limited(window=window, says=False, status=403)
    report = await crawl(Pages(), transport=site)
    assert (report.finished, report.pages, report.failed) == ("finished", 100, 0)
    assert len(site.refused) <= 2 * (8 + 3)
    assert report.seconds <= 2 * 4 * window


@pytest.mark.parametrize("strict_first", [True, False])
async def test_two_spiders_at_a_host_keep_the_stricter_delay_together(
    autojump_clock: MockClock, *, strict_first: bool
) -> None:
    site = FakeSite({f"https://h0.test/{n}": "x" for n in range(10)})
    limits = Limits()
    settings = [Settings(delay=delay, per_host=8, obey_robots=False, jitter=0.0) for delay in (2.0, 0.0)]
    async with trio.open_nursery() as nursery:
        for one in settings if strict_first else reversed(settings):
            await trio.sleep(0.01)  # in this order
            nursery.start_soon(lambda s=one: crawl(Pages(10), settings=s, transport=site.transport, limits=limits))
    starts = sorted(visit.at for visit in site.log)
    assert len(starts) == 20
    distances = [b - a for a, b in itertools.pairwise(starts)]
    assert min(distances[0 if strict_first else 10 :]) >= 2 - 1e-6, "the first spider had no other limit before"


async def test_two_spiders_at_a_host_are_not_refused_more_often_than_one(autojump_clock: MockClock) -> None:
    server, limits = Limited(limit=10), Limits()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(lambda: crawl(Pages(30), transport=server, limits=limits))
    assert (len(server.served), server.refused) == (60, [])
