"""`SendContext`: the lane and the budgets of a request, and the request that the inner transport gets."""

from __future__ import annotations

import httpx
import pytest
import trio
from support.governed import API, Script, governed, is_idle

from crawler.api_client.context import SendContext
from crawler.api_client.transport import GovernedTransport
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import EXTENSION, WireOptions, wire_options


async def test_a_lane_may_be_named(autojump_clock):
    script = Script(200)
    async with governed(script, pacing={"apis": Pace(rate="1/s")}) as http:
        for host in "abc":
            await http.get(f"https://{host}.test/", extensions={"lane": "apis"})
        assert list(http._transport.limits.throttles) == ["apis"]
    assert trio.current_time() >= 2


@pytest.mark.parametrize(
    "extensions",
    [{"quotas": ["key"]}, {"quotas": {"key": 0}}, {"quotas": {"key": True}}, {"quotas": {7: 1}}, {"lane": 7}],
)
async def test_extensions_that_mean_nothing_are_an_error_of_httpx(autojump_clock, extensions):
    async with governed(Script(200)) as http:
        with pytest.raises(httpx.LocalProtocolError, match="extensions"):
            await http.get(API, extensions=extensions)
        assert is_idle(http)


def context(inner: httpx.AsyncBaseTransport, **options) -> SendContext:
    return GovernedTransport(inner, **options)._context


async def test_a_request_costs_its_lane_one_unit_and_its_budgets_the_named_costs(autojump_clock):
    made = context(httpx.MockTransport(Script(200)))

    def costs(**extensions):
        request = httpx.Request("GET", "https://API.test:443/x", extensions=extensions)
        return [(limit.throttle.name, cost) for limit, cost in made.costs(request)]

    assert costs() == [("https://api.test", 1.0)]
    assert costs(quotas={"key:A": 2, "key:B": 0.5}) == [("https://api.test", 1.0), ("key:A", 2.0), ("key:B", 0.5)]
    assert costs(lane="apis", quotas={"apis": 3}) == [("apis", 3.0)]


async def test_the_request_of_the_caller_is_copied_only_if_it_gets_further_extensions(autojump_clock):
    request = httpx.Request("GET", API, extensions={"a": 1})
    assert context(httpx.MockTransport(Script(200))).wire_request(request) is request
    beside = GovernedTransport(httpx.MockTransport(Script(200))).beside(
        httpx.MockTransport(Script(200)), extensions={"proxy": "http://proxy.test"}
    )
    wire_request = beside._context.wire_request(request)
    beside._context.prepare(wire_request, Permit(beside.limits.throttle("a", lambda name: Pace(concurrency=1))))
    assert wire_request.extensions == {"a": 1, "proxy": "http://proxy.test"}
    assert request.extensions == {"a": 1}


async def test_libcurl_reports_to_the_permit_and_to_the_user_that_sending_begins(autojump_clock):
    reported = []
    async with CurlTransport() as inner:
        made = context(inner)
        request = httpx.Request("GET", API, extensions={EXTENSION: WireOptions(on_sent=lambda _at: reported.append(1))})
        wire_request = made.wire_request(request)
        [(limit, _)] = made.costs(request)
        for attempt in (1, 2):
            permit = Permit(limit.throttle)
            permit.take(made.queue.clock())
            made.prepare(wire_request, permit)
            wire_options(wire_request).on_sent(0.0)
            assert permit.sent_at is not None
            assert len(reported) == attempt
            permit.cancelled()
