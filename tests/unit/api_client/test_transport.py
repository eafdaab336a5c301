"""`GovernedTransport`: it uses quotas up and does not exceed them."""

from __future__ import annotations

import itertools

import httpx
import pytest
import trio
from support.governed import API, Script, get_all, governed, is_idle
from support.quotaserver import QuotaServer

from crawler.api_client.transport import GovernedTransport
from crawler.errors import ConfigError
from crawler.limits.registry import Limits


@pytest.mark.parametrize(("says", "factor"), [("draft-6", 1.02), ("legacy", 1.2)])
async def test_a_declared_window_is_used_up_and_never_passed(autojump_clock, says, factor):
    server = QuotaServer(20, 5.0, says=says)
    async with governed(server) as http:
        before = trio.current_time()
        assert await get_all(http, 100) == [200] * 100
        assert trio.current_time() - before <= factor * (4 * server.window + 5 * 2 * server.trip)
        assert server.refused == []
        assert is_idle(http)


async def test_an_undeclared_limit_is_learned_from_one_burst_of_refusals(autojump_clock):
    server = QuotaServer(20, 5.0, says="nothing")
    async with governed(server, concurrency=4) as http:
        assert await get_all(http, 200) == [200] * 200
        assert len(server.refused) <= 20
        assert is_idle(http)


async def test_retry_after_an_hour_is_waited_for_once_by_all(autojump_clock):
    server = QuotaServer(20, 3600.0, says="retry-after")
    async with governed(server, concurrency=4) as http:
        assert await get_all(http, 40) == [200] * 40
        assert len(server.refused) <= 4
        assert 3600 <= trio.current_time() <= 3700


async def test_two_hosts_share_a_budget(autojump_clock):
    server = QuotaServer(20, 5.0)
    async with governed(server) as http:
        async with trio.open_nursery() as nursery:
            for number in range(60):
                url = f"https://{'ab'[number % 2]}.test/{number}"
                nursery.start_soon(lambda url=url: http.get(url, extensions={"quotas": {"key:A": 1}}))
        assert len(server.served) == 60
        assert server.refused == []
        usage = http._transport.usage()
        assert usage["key:A"]["5s"]["limit"] == 20
        assert (usage["https://a.test"], usage["https://b.test"]) == ({}, {})
        assert is_idle(http)


async def test_without_the_budget_two_hosts_refuse_each_other(autojump_clock):
    """The counterpart: the quota belongs to the server, and without a budget the client cannot know that."""
    server = QuotaServer(20, 5.0, says="retry-after")
    async with governed(server) as http, trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(http.get, f"https://{'ab'[number % 2]}.test/{number}")
    assert server.refused


async def test_dear_requests_take_as_much_as_they_say(autojump_clock):
    server = QuotaServer(20, 5.0, cost=lambda request: 5.0 if "dear" in request.url.path else 1.0)
    async with governed(server) as http:
        async with trio.open_nursery() as nursery:
            for number in range(24):
                dear = number % 3 == 0
                path = f"{'dear' if dear else 'cheap'}/{number}"
                extensions = {"quotas": {"key:A": 5 if dear else 1}}
                nursery.start_soon(lambda path=path, more=extensions: http.get(API + path, extensions=more))
        assert len(server.served) == 24
        assert server.refused == []
        assert is_idle(http)


async def test_a_refusal_belongs_to_the_first_budget_and_an_overload_to_the_lane(autojump_clock):
    script = Script(
        lambda: httpx.Response(429, headers={"Retry-After": "30"}),
        200,
        lambda: httpx.Response(503, headers={"Retry-After": "50"}),
        200,
    )
    events = []
    async with governed(script, on_event=events.append) as http:
        await http.get(API, extensions={"quotas": {"key:A": 1, "key:B": 1}})
        assert 30 <= trio.current_time() < 35
        await http.get(API, extensions={"quotas": {"key:B": 1}})
        assert 80 <= trio.current_time() < 90
        assert is_idle(http)
    assert [event.scope for event in events if event.kind == "refused"] == ["key:A", "https://api.test"]


async def test_the_users_rate_holds_where_the_server_says_nothing(autojump_clock):
    script = Script(200)
    async with governed(script, rate="60/min") as http:
        await get_all(http, 10)
    times = [at for _, at in script.asked]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 1.0 - 1e-6
    assert times[-1] == pytest.approx(9.01, abs=0.01)


async def test_concurrency_is_never_passed_and_comes_back_with_the_body(autojump_clock):
    server = QuotaServer(10_000, 1.0, says="nothing", trip=0.05)
    async with governed(server, concurrency=3) as http:
        await get_all(http, 60)
    assert server.peak == 3


async def test_two_transports_with_one_limits_count_together(autojump_clock):
    server = QuotaServer(20, 5.0, trip=0.05)
    limits = Limits()
    async with (
        governed(server, concurrency=3, limits=limits) as one,
        governed(server, concurrency=3, limits=limits) as other,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(get_all, one, 50)
            nursery.start_soon(get_all, other, 50)
        assert is_idle(one)
    assert server.refused == []
    assert server.peak == 3
    assert len(server.served) == 100


async def test_other_objects_and_governed_transports_are_refused(autojump_clock):
    with pytest.raises(ConfigError, match="not a transport"):
        GovernedTransport(httpx.HTTPTransport())
    with pytest.raises(ConfigError, match="already governed"):
        GovernedTransport(GovernedTransport(httpx.MockTransport(lambda _: httpx.Response(200))))
