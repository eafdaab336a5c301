"""`FOREIGN_MODELS`: middlewares, gateways and vendors whose dialects no rule was written for, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from support.limit_dialects import (
    aligned,
    both,
    bucket,
    constant,
    counter,
    date,
    epoch,
    epoch_ms,
    fields,
    fixed,
    legacy,
    milliseconds,
    retry_after,
    seconds,
    sliding,
)
from support.model_server import Model
from support.server_limits import Answer, Fields

__all__ = ["FOREIGN_MODELS"]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MONTH: Final = 30 * DAY
WINDOW_WORDS: Final = {MINUTE: "minute", HOUR: "hour", DAY: "day"}
ZUUL_KEY: Final = "rate-limit-application_serviceSimple_127.0.0.1"


def epoch_us(answer: Answer, reset: float) -> str:
    """State a reset as microseconds since the epoch."""
    return str(math.ceil(1e6 * (answer.now + reset)))


def iso_ms(answer: Answer, reset: float) -> str:
    """State a reset as a date of RFC 3339, to the millisecond."""
    at = datetime.fromtimestamp(answer.now + reset, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def dotnet_date(answer: Answer, reset: float) -> str:
    """State a reset as .NET prints a time, to 100 nanoseconds."""
    return f"{datetime.fromtimestamp(answer.now + reset, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def in_seconds(answer: Answer, reset: float) -> str:
    """State a reset as seconds from now, with their unit."""
    return f"{math.ceil(reset)}s"


def now_while_served(answer: Answer, reset: float) -> str:
    """State when to try again: at once, if this request is served."""
    return str(int(answer.now)) if answer.allowed else epoch(answer, reset)


def closest(says: Fields) -> Fields:
    """Return fields of the limit with the least left."""

    def one(answer: Answer) -> Mapping[str, str]:
        pair = min(answer.limits, key=lambda pair: pair[1].remaining)
        return says(Answer(limits=[pair], too_many=False, in_flight=answer.in_flight, now=answer.now))

    return one


def sometimes(says: Fields) -> Fields:
    """Return fields that two of three responses have."""
    return lambda answer: says(answer) if int(1000 * answer.now) % 3 else {}


def urlscan(answer: Answer) -> Mapping[str, str]:
    """State the limit that is closest, its window as a word, and its end twice."""
    limit, decision = answer.limits[0]
    return {
        "X-Rate-Limit-Scope": "ip-address",
        "X-Rate-Limit-Action": "search",
        "X-Rate-Limit-Window": WINDOW_WORDS[limit.window],
        **fields("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", by=iso_ms)(answer),
        "X-Rate-Limit-Reset-After": seconds(answer, decision.reset),
    }


def used(name: str) -> Fields:
    """State what is used."""
    return lambda answer: {name: str(answer.limits[0][0].quota - answer.limits[0][1].remaining)}


def spring_cloud_gateway(answer: Answer) -> Mapping[str, str]:
    """State the tokens that are left, the size of the bucket, its rate, and the cost of a request."""
    limit, decision = answer.limits[0]
    return {
        "X-RateLimit-Remaining": str(decision.remaining),
        "X-RateLimit-Requested-Tokens": "1",
        "X-RateLimit-Burst-Capacity": str(limit.quota),
        "X-RateLimit-Replenish-Rate": f"{limit.quota / limit.window:g}",
    }


def by_tollbooth(answer: Answer) -> Mapping[str, str]:
    """State a rate as a limit of a second, and the tokens that are left."""
    limit, decision = answer.limits[0]
    return {
        "RateLimit-Limit": f"{limit.quota / limit.window:g}",
        "RateLimit-Reset": "1",
        "RateLimit-Remaining": str(decision.remaining),
    }


def by_rule(answer: Answer) -> Mapping[str, str]:
    """State each limit after its number."""
    return {
        name: value
        for number in range(len(answer.limits))
        for name, value in legacy(seconds, f"X-{number + 1}-RateLimit-", of=number)(answer).items()
    }


def aspnetcore(answer: Answer) -> Mapping[str, str]:
    """State the period as the limit, as AspNetCoreRateLimit does."""
    return {
        "X-Rate-Limit-Limit": "1m",
        **fields("", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", by=dotnet_date)(answer),
    }


def retry_in(answer: Answer) -> Mapping[str, str]:
    """State the wait as a duration of Go, and in whole seconds."""
    return {"X-Retry-In": f"{1000 * answer.wait:.3f}ms" if answer.wait < 1 else f"{answer.wait:.6f}s"}


FOREIGN_MODELS: Final[dict[str, Model]] = {
    # Middlewares
    "laravel": Model(
        page="https://github.com/laravel/framework/blob/13.x/src/Illuminate/Routing/Middleware/ThrottleRequests.php",
        limits=fixed(60, MINUTE),
        says=[date, fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        refuses=[fields("", "", "X-RateLimit-Reset"), retry_after],
        pages=220,
    ),
    "aspnetcore-rate-limit": Model(
        page="https://github.com/stefanprodan/AspNetCoreRateLimit/wiki/IpRateLimitMiddleware",
        limits=fixed(60, MINUTE),
        says=[date, aspnetcore],
        refuses=[retry_after],
        pages=200,
    ),
    "yii": Model(
        page="https://www.yiiframework.com/doc/guide/2.0/en/rest-rate-limiting",
        limits=bucket(60, 1.0, states_time_to_full=True),
        says=[legacy(seconds, "X-Rate-Limit-")],
        pages=200,
    ),
    "symfony": Model(
        page="https://github.com/symfony/symfony-docs/pull/14461",
        limits=fixed(60, MINUTE),
        says=[date, legacy(now_while_served)],
        declared=False,
        pages=220,
    ),
    "rack-attack-rate-limit": Model(
        page="https://github.com/jbyck/rack-attack-rate-limit",
        limits=both(aligned(20, 10.0), aligned(80, MINUTE)),
        says=[date, closest(fields("X-RateLimit-Limit", "X-RateLimit-Remaining"))],
        declared=False,
        begins=DAY,
        pages=250,
    ),
    "bucket4j": Model(
        page="https://github.com/MarcGiffing/bucket4j-spring-boot-starter",
        limits=bucket(20, 2.0),
        says=[fields("", "X-Rate-Limit-Remaining")],
        refuses=[lambda answer: {"X-Rate-Limit-Retry-After-Seconds": str(math.ceil(answer.wait))}],
        pages=200,
    ),
    "tollbooth": Model(
        page="https://pkg.go.dev/github.com/zeta-protocol/zeta/datanode/ratelimit",
        limits=bucket(20, 10.0),
        says=[by_tollbooth],
    ),
    # Gateways
    "spring-cloud-gateway": Model(
        page="https://docs.spring.io/spring-cloud-gateway/reference/spring-cloud-gateway/gatewayfilter-factories/requestratelimiter-factory.html",
        limits=bucket(20, 10.0),
        says=[spring_cloud_gateway],
    ),
    "zuul": Model(
        page="https://baeldung.com/spring-cloud-zuul-rate-limit",
        limits=fixed(60, MINUTE),
        says=[
            fields(
                f"X-RateLimit-Limit-{ZUUL_KEY}",
                f"X-RateLimit-Remaining-{ZUUL_KEY}",
                f"X-RateLimit-Reset-{ZUUL_KEY}",
                by=milliseconds,
            )
        ],
        pages=200,
    ),
    "apisix-rules": Model(
        page="https://apisix.apache.org/docs/apisix/3.17/plugins/limit-count/",
        limits=both(fixed(30, 10.0), fixed(100, MINUTE)),
        says=[by_rule],
        status=503,
    ),
    "apisix-sliding": Model(
        page="https://apisix.apache.org/zh/docs/apisix/3.20/plugins/limit-count/",
        limits=counter(60, MINUTE),
        says=[legacy(seconds)],
        status=503,
        pages=200,
    ),
    "azure-api-management": Model(
        page="https://learn.microsoft.com/en-us/azure/api-management/rate-limit-policy",
        limits=sliding(100, MINUTE),
        says=[fields("ratelimit-limit", "ratelimit-remaining")],
        refuses=[retry_after],
        pages=250,
    ),
    "mule": Model(
        page="https://docs.mulesoft.com/mule-gateway/policies-included-rate-limiting",
        limits=fixed(60, MINUTE),
        says=[legacy(milliseconds, "x-ratelimit-")],
        pages=200,
    ),
    "gravitee": Model(
        page="https://documentation.gravitee.io/apim/v/4.0-5/reference/policy-reference/rate-limit",
        limits=both(fixed(20, 10.0), fixed(150, HOUR)),
        says=[legacy(epoch_ms, "X-Rate-Limit-"), legacy(epoch_ms, "X-Quota-", of=1)],
        pages=250,
    ),
    "traefik": Model(
        page="https://github.com/vulcand/oxy/issues/139",
        limits=bucket(20, 5.0),
        refuses=[retry_in],
        declared=False,
    ),
    # Vendors
    "urlscan": Model(
        page="https://docs.urlscan.io/pages/api-rate-limits",
        limits=both(aligned(30, MINUTE), aligned(100, HOUR)),
        says=[date, closest(urlscan)],
        begins=DAY,
        pages=150,
    ),
    "opswat": Model(
        page="https://www.opswat.com/docs/mdcloud/integrations/rate-limiting",
        limits=fixed(100, DAY),
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset-In", by=in_seconds),
            used("X-RateLimit-Used"),
        ],
        pages=250,
    ),
    "carta": Model(
        page="https://docs.carta.com/carta/docs/rate-limiting",
        limits=both(fixed(10, 1.0), fixed(100, MINUTE)),
        says=[
            legacy(seconds, "RateLimit-"),
            fields("X-RateLimit-Limit-Second", "X-RateLimit-Remaining-Second"),
            fields("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute", of=1),
        ],
        pages=250,
    ),
    "connecteam": Model(
        page="https://developer.connecteam.com/docs/rate-limiting-1",
        limits=both(aligned(50, MINUTE), aligned(1000, DAY)),
        says=[
            date,
            fields("x-ratelimit-minute-limit", "x-ratelimit-minute-remaining", "x-ratelimit-minute-reset"),
            fields("x-ratelimit-day-limit", "x-ratelimit-day-remaining", "x-ratelimit-day-reset", of=1),
        ],
        begins=DAY,
        pages=180,
    ),
    "dynatrace": Model(
        page="https://docs.dynatrace.com/docs/managed-cluster/cluster-api/basics/cluster-access-limit",
        limits=fixed(50, MINUTE),
        says=[date, legacy(epoch_us)],
        pages=180,
    ),
    "nomic": Model(
        page="https://docs.nomic.ai/api/rate-limits",
        limits=bucket(60, 1.0, states_time_to_full=True),
        says=[date, legacy()],
        refuses=[lambda answer: {"Retry-After": "1"}],
        pages=200,
    ),
    "twelve-data": Model(
        page="https://support.twelvedata.com/en/articles/5713553-control-over-api-usage",
        limits=aligned(55, MINUTE),
        says=[date, fields("", "api-credits-left"), used("api-credits-used")],
        begins=DAY,
        pages=200,
    ),
    "airweave": Model(
        page="https://docs.airweave.ai/rate-limits",
        limits=sliding(100, MINUTE),
        says=[date, legacy(prefix="RateLimit-")],
        refuses=[retry_after],
        pages=250,
    ),
    "elsevier": Model(
        page="https://books.ropensci.org/fulltext/rate-limits.html",
        limits=both(fixed(100, 7 * DAY), fixed(9, 1.0)),
        says=[date, legacy(), constant(X_ELS_Status="OK")],
        declared=False,
        pages=250,
    ),
    "epay": Model(
        page="https://docs.epay.eu/guides/rate-limits",
        limits=bucket(60, 5.0, states_time_to_full=True),
        says=[date, legacy()],
        refuses=[lambda answer: {"Retry-After": "1"}],
    ),
    "revenium": Model(
        page="https://docs.revenium.io/integrations/rate-limits",
        limits=aligned(20, 1.0),
        says=[date, legacy(), constant(X_RateLimit_Bucket="platform")],
        begins=MINUTE,
    ),
    "betspread": Model(
        page="https://betspread.io/docs/rate-limits",
        limits=both(fixed(60, HOUR), fixed(200, MONTH)),
        says=[date, closest(legacy())],
        refuses=[retry_after],
        pages=170,
    ),
    "campflare": Model(
        page="https://docs-v2.campflare.com/api-reference/rate-limits",
        limits=fixed(60, MINUTE),
        says=[date, sometimes(legacy())],
        refuses=[retry_after],
        pages=200,
    ),
    "coinbase-exchange": Model(
        page="https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits",
        limits=bucket(15, 10.0),
        declared=False,
    ),
}
"""Model by name."""
