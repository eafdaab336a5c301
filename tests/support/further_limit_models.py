"""`FURTHER_MODELS`: servers whose dialects were not looked at when the reader of fields was written, by name."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from support.limit_dialects import (
    aligned,
    both,
    bucket,
    constant,
    costly,
    date,
    epoch_ms,
    fields,
    fixed,
    legacy,
    milliseconds,
    nearest,
    retry_after,
    seconds,
    sliding,
)
from support.model_server import Model
from support.server_limits import Answer, BatchBucket, Limit

from crawler import Pace

__all__ = ["FURTHER_MODELS"]

MINUTE, HOUR, DAY, MONTH = 60.0, 3600.0, 86400.0, 2_592_000.0


def batches(size: int, units: int, seconds: float) -> Callable[[random.Random], Sequence[Limit]]:
    """Return a bucket to which so many tokens are added at the end of each interval of so many seconds."""
    return lambda rng: [BatchBucket(quota=size, window=seconds, units=units)]


def lists(answer: Answer) -> dict[str, str]:
    """State limit, remainder, reset and policy of all windows as lists."""
    limits = [limit for limit, _ in answer.limits]
    return {
        "X-RateLimit-Limit": ", ".join(str(limit.quota) for limit in limits),
        "X-RateLimit-Policy": ", ".join(f"{limit.quota};w={limit.window:g}" for limit in limits),
        "X-RateLimit-Remaining": ", ".join(str(decision.remaining) for _, decision in answer.limits),
        "X-RateLimit-Reset": ", ".join(seconds(answer, decision.reset) for _, decision in answer.limits),
    }


def named_policy(answer: Answer) -> dict[str, str]:
    """State the policy with its name beside the limit."""
    limit, decision = answer.limits[0]
    return {
        "X-Ratelimit-Limit": f'{limit.quota}, {limit.quota};w={limit.window:g};name="partner-read"',
        "X-Ratelimit-Remaining": str(decision.remaining),
        "X-Ratelimit-Reset": seconds(answer, decision.reset),
    }


def close(answer: Answer) -> dict[str, str]:
    """State limit, remainder and reset in one dictionary."""
    limit, decision = answer.limits[0]
    said = f"limit={limit.quota}, remaining={decision.remaining}, reset={math.ceil(decision.reset)}"
    return {"ratelimit": said}


def used_weight(answer: Answer) -> dict[str, str]:
    """State what is used of a minute, and never of how much."""
    limit, decision = answer.limits[0]
    return {"X-MBX-USED-WEIGHT-1M": str(limit.quota - decision.remaining)}


def lightspeed(answer: Answer) -> dict[str, str]:
    """State level and size of a leaky bucket with decimals, and how much it leaks per second."""
    limit, _ = answer.limits[0]
    level = limit.quota - getattr(limit, "tokens", 0.0)
    return {
        "X-LS-API-Bucket-Level": f"{level:.2f}/{limit.quota}",
        "X-LS-API-Drip-Rate": f"{limit.quota / limit.window:g}",
    }


def timestamp_and_date(answer: Answer) -> dict[str, str]:
    """State a reset as an epoch, and again as a date."""
    limit, decision = answer.limits[0]
    at = math.ceil(answer.now + decision.reset)
    return {
        "ratelimit-limit": str(limit.quota),
        "ratelimit-remaining": str(decision.remaining),
        "ratelimit-reset": str(at),
        "ratelimit-reset-date": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "retry-after": seconds(answer, decision.reset),
    }


def without_zone(answer: Answer, reset: float) -> str:
    """State a reset as a date without a zone."""
    return datetime.fromtimestamp(math.ceil(answer.now + reset), UTC).strftime("%Y-%m-%d %H:%M:%S")


def by_scope(answer: Answer) -> dict[str, str]:
    """State remainder and reset of a limit of the organisation and of one of the address."""
    (_, ours), (_, address) = answer.limits
    return {
        "X-RateLimit-Remaining-Org": str(ours.remaining),
        "X-RateLimit-Remaining-IP": str(address.remaining),
        "X-RateLimit-Reset-Seconds-Org": seconds(answer, ours.reset),
        "X-RateLimit-Reset-Seconds-IP": seconds(answer, address.reset),
    }


def launchdarkly(answer: Answer) -> dict[str, str]:
    """State what is left of two limits, and one reset for both."""
    (_, everywhere), (_, route) = answer.limits
    return {
        "X-Ratelimit-Global-Remaining": str(everywhere.remaining),
        "X-Ratelimit-Route-Remaining": str(route.remaining),
        "X-Ratelimit-Reset": epoch_ms(answer, route.reset),
    }


def etsy(answer: Answer) -> dict[str, str]:
    """State a second and a day; refusals state neither."""
    (second, left), (day, left_today) = answer.limits
    return {
        "x-limit-per-second": str(second.quota),
        "x-remaining-this-second": str(left.remaining),
        "x-limit-per-day": str(day.quota),
        "x-remaining-today": str(left_today.remaining),
    }


def kraken(answer: Answer) -> str:
    """Return an answer of Kraken, whose refusals have the status of a success."""
    return json.dumps({"error": [] if answer.allowed else ["EAPI:Rate limit exceeded"], "result": {}})


def sustained(answer: Answer) -> Mapping[str, str]:
    """State size and level of a bucket, the seconds until it is full, and its rate as a policy."""
    limit, decision = answer.limits[0]
    return {
        "X-RateLimit-Limit": str(limit.quota),
        "X-RateLimit-Remaining": str(decision.remaining),
        "X-RateLimit-Reset": seconds(answer, decision.reset),
        "RateLimit-Policy": "60;w=60",
    }


FURTHER_MODELS: Final[dict[str, Model]] = {
    # Two windows
    "xero": Model(
        page="https://developer.xero.com/documentation/guides/oauth2/limits/",
        limits=both(sliding(60, MINUTE), sliding(5000, DAY)),
        says=[
            fields("", "X-MinLimit-Remaining"),
            fields("", "X-DayLimit-Remaining", of=1),
            constant(X_AppMinLimit_Remaining="9999"),
        ],
        refuses=[retry_after, constant(X_Rate_Limit_Problem="minute")],
    ),
    "brave": Model(
        page="https://api-dashboard.search.brave.com/documentation/guides/rate-limiting",
        limits=both(sliding(20, 1.0), fixed(15_000, MONTH)),
        says=[lists],
        pages=600,
    ),
    "whoop": Model(
        page="https://developer.whoop.com/docs/developing/rate-limiting",
        limits=both(fixed(100, MINUTE), fixed(10_000, DAY)),
        says=[nearest(";window=")],
        pages=350,
    ),
    "etsy": Model(
        page="https://developer.etsy.com/documentation/essentials/rate-limits",
        limits=both(sliding(10, 1.0), sliding(10_000, DAY)),
        says=[lambda answer: etsy(answer) if answer.allowed else {}],
    ),
    "split": Model(
        page="https://docs.split.io/reference/rate-limiting",
        limits=both(fixed(60, 30.0), fixed(200, MINUTE)),
        says=[by_scope],
    ),
    "launchdarkly": Model(
        page="https://launchdarkly.com/docs/api#rate-limiting",
        limits=both(fixed(400, 10.0), fixed(60, 10.0)),
        says=[launchdarkly],
        refuses=[retry_after],
    ),
    "ship24": Model(
        page="https://docs.ship24.com/rate-limiter",
        limits=fixed(10, 1.0),
        says=[legacy(seconds, "RateLimit-"), legacy()],
        refuses=[retry_after],
    ),
    # Windows
    "close": Model(
        page="https://developer.close.com/topics/rate-limits/",
        limits=fixed(40, 5.0),
        says=[close],
        refuses=[retry_after],
    ),
    "klarna": Model(
        page="https://docs.klarna.com/api/kn/rate-limiting",
        limits=fixed(20, 1.0),
        says=[named_policy],
    ),
    "bigcommerce": Model(
        page="https://docs.bigcommerce.com/developer/docs/overview/api-fundamentals/rate-limits",
        limits=fixed(150, 30.0),
        says=[
            fields(
                "X-Rate-Limit-Requests-Quota",
                "X-Rate-Limit-Requests-Left",
                "X-Rate-Limit-Time-Reset-Ms",
                by=milliseconds,
            ),
            constant(X_Rate_Limit_Time_Window_Ms="30000"),
        ],
        pages=400,
    ),
    "pipedrive": Model(
        page="https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting",
        limits=fixed(40, 2.0),
        says=[legacy(seconds), constant(x_daily_requests_left="9999")],
        pages=600,
    ),
    "milliseconds-of-a-second": Model(
        page="https://sh8tl2g9yw.apifox.cn/doc-1898685",
        limits=fixed(10, 1.0),
        says=[legacy(milliseconds, "X-Ratelimit-")],
    ),
    "helpscout": Model(
        page="https://developer.helpscout.com/mailbox-api/overview/rate-limiting/",
        limits=sliding(100, MINUTE),
        says=[fields("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute")],
        refuses=[fields("", "", "X-RateLimit-Retry-After", by=seconds)],
    ),
    "commerce-layer": Model(
        page="https://docs.commercelayer.io/core/rate-limits",
        limits=sliding(100, MINUTE),
        says=[fields("X-Ratelimit-Limit", "X-Ratelimit-Remaining"), constant(X_Ratelimit_Interval="60")],
        refuses=[retry_after],
    ),
    "composio": Model(
        page="https://docs.composio.dev/reference/rate-limits",
        limits=sliding(100, 600.0),
        says=[fields("X-RateLimit", "X-RateLimit-Remaining"), constant(X_RateLimit_Window_Size="600s")],
        refuses=[retry_after],
    ),
    "agent-ai": Model(
        page="https://docs.agent.ai/ratelimits",
        limits=fixed(100, MINUTE),
        says=[timestamp_and_date],
    ),
    "mailerlite": Model(
        page="https://developers-classic.mailerlite.com/docs/api-rate-limits",
        limits=fixed(60, MINUTE),
        says=[
            date,
            legacy(without_zone),
            fields("", "", "X-RateLimit-Retry-After", by=seconds),
        ],
    ),
    "turn-io": Model(
        page="https://whatsapp.turn.io/docs/api/rate_limiting",
        limits=aligned(60, MINUTE),
        says=[date, legacy(prefix="X-Ratelimit-"), constant(Retry_After="1", X_Ratelimit_Bucket="general")],
        begins=MINUTE,
    ),
    "webflow": Model(
        page="https://developers.webflow.com/data/reference/rate-limits-1",
        limits=aligned(60, MINUTE),
        says=[date, fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        refuses=[retry_after],
        begins=MINUTE,
    ),
    "okta": Model(
        page="https://developer.okta.com/docs/reference/rl-best-practices/",
        limits=fixed(100, MINUTE),
        says=[date, legacy(prefix="X-Rate-Limit-")],
    ),
    # Buckets
    "twitch": Model(
        page="https://dev.twitch.tv/docs/api/guide/",
        limits=bucket(80, 80 / MINUTE, states_time_to_full=True),
        says=[date, legacy(prefix="Ratelimit-")],
    ),
    "auth0": Model(
        page="https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy",
        limits=bucket(50, 16.0),
        says=[date, legacy(prefix="x-ratelimit-")],
        refuses=[retry_after],
        pages=600,
    ),
    "amazon-sp": Model(
        page="https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits-in-the-sp-api",
        limits=bucket(2, 2.0),
        says=[constant(x_amzn_RateLimit_Limit="2.0")],
        pages=100,
    ),
    "confluence-data-center": Model(
        page="https://confluence.atlassian.com/conf87/_ratelimiting_httpheaders-1333822054.html",
        limits=batches(50, 10, 5.0),
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining"),
            constant(X_RateLimit_Interval_Seconds="5", X_RateLimit_FillRate="10"),
            lambda answer: {"retry-after": "0" if answer.allowed else seconds(answer, answer.wait)},
        ],
        pages=200,
    ),
    "lightspeed": Model(
        page="https://developers.lightspeedhq.com/retail/introduction/ratelimits/",
        limits=bucket(60, 1.0),
        says=[lightspeed],
        refuses=[retry_after],
        pages=200,
    ),
    "frame-io": Model(
        page="https://developer.frame.io/platform/v2/rate-limits",
        limits=bucket(40, 40 / MINUTE),
        says=[fields("x-ratelimit-limit", "x-ratelimit-remaining"), constant(x_ratelimit_window="60000")],
        pages=150,
    ),
    "trakrf": Model(
        page="https://github.com/trakrf/docs/pull/199",
        limits=bucket(120, 1.0, states_time_to_full=True),
        says=[sustained],
        refuses=[retry_after],
        pages=250,
    ),
    # Points
    "linear-complexity": Model(
        page="https://linear.app/developers/rate-limiting",
        limits=costly(5_000, 5_000 / MINUTE, (20, 100)),
        status=400,
        type="application/json",
        body=json.dumps({"errors": [{"extensions": {"code": "RATELIMITED"}}]}),
        says=[
            fields(
                "X-RateLimit-Complexity-Limit",
                "X-RateLimit-Complexity-Remaining",
                "X-RateLimit-Complexity-Reset",
                by=epoch_ms,
            )
        ],
    ),
    # Limits that only refusals state
    "binance": Model(
        page="https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits",
        limits=aligned(100, MINUTE),
        says=[date, used_weight],
        refuses=[retry_after],
        declared=False,
        begins=MINUTE,
    ),
    "kraken": Model(
        page="https://docs.kraken.com/exchange/guides/rest/ratelimits",
        limits=bucket(15, 1.0),
        status=200,
        answers=kraken,
        pacing={"*": Pace(bodies=True)},
        declared=False,
        pages=60,
    ),
}
"""Model by name."""
