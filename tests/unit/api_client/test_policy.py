"""`RetryRules` and `PaceRules`: the pace of a lane or budget, and options that are wrong."""

from __future__ import annotations

import math

import httpx
import pytest
import trio
from support.governed import Script, get_all, governed

from crawler.api_client.policy import ClientRetries, RetryRules
from crawler.api_client.transport import GovernedTransport
from crawler.errors import BadStatus, ConfigError
from crawler.limits.pace import Pace
from crawler.messages import Request


@pytest.mark.parametrize(
    ("pacing", "seconds"),
    [
        ({"https://api.test": Pace(rate="1/s")}, 4),
        ({"api.*": Pace(rate="1/s")}, 4),
        ({"https://other.test": Pace(rate="1/s"), "*": Pace(delay=2)}, 8),
        ({"*.test": Pace(concurrency=1)}, 20),  # what it does not say comes from the rate of all
        ({"key:*": Pace(rate="1/10s")}, 40),
    ],
)
async def test_a_pace_is_found_by_lane_host_or_budget(autojump_clock, pacing, seconds):
    script = Script(200)
    rate = "1/5s" if "*.test" in pacing else None
    async with governed(script, pacing=pacing, rate=rate) as http:
        await get_all(http, 5, extensions={"quotas": {"key:A": 1}})
    assert script.asked[-1][1] == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "fast"}, "not a rate: 'fast'"),
        ({"rate": 5}, "rate must be text"),
        ({"rate": 0}, "rate must be text"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"delay": -1}, "delay must be 0 seconds or more"),
        ({"pacing": [1]}, "pacing must map globs to Pace"),
        ({"pacing": {"a": "1/s"}}, "pacing must map globs to Pace, not 'a' to '1/s'"),
        ({"limits": 7}, "limits must be a Limits"),
        ({"attempts": 0}, "attempts must be a whole number, at least 1"),
        ({"longest": math.nan}, "longest must be seconds"),
        ({"longest": None}, "longest must be seconds"),
        ({"patience": -1}, "patience must be seconds"),
        ({"on_deadline": "panic"}, "on_deadline must be 'fail' or 'wait'"),
        ({"on_event": 7}, "on_event must be a function"),
    ],
)
async def test_a_wrong_option_is_refused_in_one_line(autojump_clock, options, words):
    with pytest.raises(ConfigError, match=f"^{words}") as caught:
        GovernedTransport(httpx.MockTransport(lambda _: httpx.Response(200)), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("slow_start", "seconds"), [("first", 2.5), (False, 2), (None, 10)])  # 1, 2, 4, 8, the last
async def test_a_lane_may_start_all_requests_as_soon_as_the_first_is_half_a_second_old(
    autojump_clock, slow_start, seconds
):
    async def answer(request):
        await trio.sleep(2)
        return httpx.Response(200)

    async with governed(answer, pacing={"api.test": Pace(concurrency=16, slow_start=slow_start)}) as http:
        await get_all(http, 16)
    assert trio.current_time() == pytest.approx(seconds, abs=0.1)


def test_a_client_waits_for_no_refusal_that_states_more_than_the_longest_wait() -> None:
    retries = ClientRetries(RetryRules(longest=60.0, attempts=4))
    request = Request("https://site.test/")
    assert retries.goes_back(request, BadStatus("no", status=429, retry_after=60.0), 0)
    assert not retries.goes_back(request, BadStatus("no", status=429, retry_after=61.0), 0)
    error = BadStatus("no", status=500, retry_after=61.0)
    error.retryable = True
    assert retries.wait(request, 1, error) is None
    error.retry_after = 60.0
    assert [retries.wait(request, attempts, error) for attempts in (3, 4)] == [60.0, None]
    assert retries.counted_attempts(request, 3, 0.5) == 3, "its attempts count, however many requests fail"
