"""`RECENT_MODELS`: servers of vendors whose pages were read when all rules for the others were written, by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Final

from support.limit_dialects import (
    aligned,
    both,
    bucket,
    constant,
    counter,
    date,
    epoch_ms,
    fields,
    fixed,
    http_date,
    iso,
    legacy,
    milliseconds,
    retry_after,
    seconds,
    sliding,
)
from support.model_server import Model
from support.server_limits import Answer, Fields

__all__ = ["RECENT_MODELS"]

MINUTE, HOUR, DAY, MONTH = 60.0, 3600.0, 86400.0, 2_592_000.0
CREDITS: Final = 100
"""Units that a request takes where the server counts something else than requests."""


def if_served(says: Fields) -> Fields:
    """Return fields that refusals do not have."""
    return lambda answer: says(answer) if answer.allowed else {}


def trello(answer: Answer) -> Mapping[str, str]:
    """State the limits of a token and of a key, with their windows in milliseconds."""
    said = {}
    for name, (limit, decision) in zip(("token", "key"), answer.limits, strict=True):
        said[f"x-rate-limit-api-{name}-interval-ms"] = f"{1000 * limit.window:g}"
        said[f"x-rate-limit-api-{name}-max"] = str(limit.quota)
        said[f"x-rate-limit-api-{name}-remaining"] = str(decision.remaining)
    return said


def trakt(answer: Answer) -> Mapping[str, str]:
    """State name, window, limit, remainder and end in one JSON object."""
    limit, decision = answer.limits[0]
    said = {
        "name": "UNAUTHED_API_GET_LIMIT",
        "period": int(limit.window),
        "limit": limit.quota,
        "remaining": decision.remaining,
        "until": iso(answer, decision.reset),
    }
    return {"X-Ratelimit": json.dumps(said)}


def upbit(answer: Answer) -> Mapping[str, str]:
    """State what is left of the second of the clock, and a minute that means nothing."""
    return {"Remaining-Req": f"group=default; min=1800; sec={answer.limits[0][1].remaining}"}


def docusign(answer: Answer) -> Mapping[str, str]:
    """State an hour of the clock, and limit and remainder of half a minute."""
    return {
        **legacy()(answer),
        **fields("X-BurstLimit-Limit", "X-BurstLimit-Remaining", of=1)(answer),
    }


def ticksights(answer: Answer) -> Mapping[str, str]:
    """State a day and an hour."""
    return {**legacy(prefix="X-RateLimit-Daily-", of=1)(answer), **legacy(prefix="X-RateLimit-Hourly-")(answer)}


def gitlab(answer: Answer) -> Mapping[str, str]:
    """State limit, use and remainder, and the end twice."""
    limit, decision = answer.limits[0]
    return {
        **legacy(prefix="RateLimit-")(answer),
        "RateLimit-Name": "throttle_authenticated_web",
        "RateLimit-Observed": str(limit.quota - decision.remaining),
        "RateLimit-ResetTime": http_date(answer, decision.reset),
    }


def consumed(answer: Answer) -> Mapping[str, str]:
    """State what is used beside limit and remainder."""
    limit, decision = answer.limits[0]
    return {**legacy(prefix="ratelimit-")(answer), "ratelimit-consumed": str(limit.quota - decision.remaining)}


def in_credits(answer: Answer) -> Mapping[str, str]:
    """State credits, of which each request takes a hundred."""
    limit, decision = answer.limits[0]
    at = math.ceil(answer.now + decision.reset)
    return {
        "X-RateLimit-Limit": str(CREDITS * limit.quota),
        "X-RateLimit-Remaining": str(CREDITS * decision.remaining),
        "X-RateLimit-Reset": str(at),
    }


def in_tokens(answer: Answer) -> Mapping[str, str]:
    """State requests of a day and tokens of a minute, of which each request takes a hundred."""
    (minute, left), (day, left_today) = answer.limits
    return {
        "x-ratelimit-limit-requests-day": str(day.quota),
        "x-ratelimit-limit-tokens-minute": str(CREDITS * minute.quota),
        "x-ratelimit-remaining-requests-day": str(left_today.remaining),
        "x-ratelimit-remaining-tokens-minute": str(CREDITS * left.remaining),
        "x-ratelimit-reset-requests-day": str(left_today.reset),
        "x-ratelimit-reset-tokens-minute": str(left.reset),
    }


def closest(by: str, prefix: str) -> Fields:
    """Return fields of the limit with the least left, which state no limit.

    Parameters:
        by: the field that names it.
        prefix: the beginning of the other names.
    """

    def says(answer: Answer) -> Mapping[str, str]:
        limit, decision = min(answer.limits, key=lambda pair: pair[1].remaining)
        return {
            by: limit.name,
            f"{prefix}Remaining": str(decision.remaining),
            f"{prefix}Reset": str(math.ceil(answer.now + decision.reset)),
        }

    return says


def hugging_face(answer: Answer) -> Mapping[str, str]:
    """State a policy in two members, of which the first one has no parameters."""
    limit, decision = answer.limits[0]
    return {
        "RateLimit": f'"api";r={decision.remaining};t={math.ceil(decision.reset)}',
        "RateLimit-Policy": f'"fixed window";"api";q={limit.quota};w={limit.window:g}',
    }


def qomon(answer: Answer) -> Mapping[str, str]:
    """State size and rate of a bucket in one field, the cost of a request, and the seconds until it is full."""
    limit, decision = answer.limits[0]
    return {
        "X-Ratelimit-Limit": f"burst:{limit.quota};rate:{limit.quota / limit.window:g}",
        "X-Ratelimit-Remaining": str(decision.remaining),
        "X-Ratelimit-Cost": "1",
        "X-Ratelimit-ResetTime": seconds(answer, decision.reset),
    }


def tic(answer: Answer) -> Mapping[str, str]:
    """State a period and its end, a minute without its end, and addresses."""
    return {
        **legacy(seconds, of=1)(answer),
        **fields("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute")(answer),
        "X-RateLimit-Limit-IP": "5",
        "X-RateLimit-Remaining-IP": "4",
    }


RECENT_MODELS: Final[dict[str, Model]] = {
    # Windows whose end is stated
    "kucoin": Model(
        page="https://www.kucoin.com/docs-new/rate-limit",
        limits=fixed(100, 30.0),
        says=[legacy(milliseconds, "gw-ratelimit-")],
    ),
    "companies-house": Model(
        page="https://forum.aws.chdev.org/t/view-your-request-count-for-rate-limiting/2880",
        limits=fixed(100, 300.0),
        says=[
            date,
            fields("X-Ratelimit-Limit", "X-Ratelimit-Remain", "X-Ratelimit-Reset"),
            constant(X_Ratelimit_Window="5m"),
        ],
        pages=250,
    ),
    "docusign": Model(
        page="https://www.docusign.com/blog/dsdev-from-the-trenches-api-rate-limits",
        limits=both(aligned(200, HOUR), fixed(50, 30.0)),
        says=[date, docusign],
        pages=250,
        begins=DAY,
    ),
    "ticksights": Model(
        page="https://docs.ticksights.com/api/rate-limits",
        limits=both(aligned(100, HOUR), aligned(1000, DAY)),
        says=[date, ticksights],
        pages=250,
        begins=DAY,
    ),
    "bitvavo": Model(
        page="https://docs.bitvavo.com/docs/rate-limits",
        limits=fixed(100, MINUTE, blocks=True),
        says=[
            fields("bitvavo-ratelimit-limit", "bitvavo-ratelimit-remaining", "bitvavo-ratelimit-resetat", by=epoch_ms)
        ],
        pages=250,
    ),
    "theauthapi": Model(
        page="https://docs.theauthapi.com/guides/rate-limiting",
        limits=fixed(100, MINUTE),
        says=[date, consumed],
        pages=250,
    ),
    "gitlab-observed": Model(
        page="https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/",
        limits=aligned(100, MINUTE),
        says=[date, gitlab],
        refuses=[retry_after],
        pages=250,
        begins=DAY,
    ),
    "tic-io": Model(
        page="https://docs.tic.io/throttling",
        limits=both(fixed(60, MINUTE), fixed(1000, DAY)),
        says=[tic],
        pages=200,
    ),
    "rachio": Model(
        page="https://rachio.discoursehosting.net/t/api-rate-limiting-enhancements/10944",
        limits=aligned(100, DAY),
        says=[date, legacy(iso)],
        pages=150,
        begins=DAY,
    ),
    "hugging-face": Model(
        page="https://huggingface.co/docs/hub/rate-limits",
        limits=fixed(100, 300.0),
        says=[hugging_face],
        pages=250,
    ),
    "pexels": Model(
        page="https://help.pexels.com/hc/en-us/articles/900005368726-How-do-I-see-how-many-requests-I-have-remaining",
        limits=fixed(100, MONTH),
        says=[date, if_served(legacy(prefix="X-Ratelimit-"))],
        pages=150,
    ),
    "dropbox-sign": Model(
        page="https://sign.dropbox.com/blog/rate-limits-and-best-practices-to-avoiding-them",
        limits=fixed(100, MINUTE),
        says=[date, fields("X-Ratelimit-Limit", "X-Ratelimit-Limit-Remaining", "X-Ratelimit-Reset")],
        pages=250,
    ),
    "statbot": Model(
        page="https://docs.statbot.net/docs/api/schemas/ratelimitheaders",
        limits=fixed(10, MINUTE),
        says=[legacy(seconds, "x-ratelimit-")],
        refuses=[retry_after],
        pages=40,
    ),
    # Windows whose length is stated
    "trello": Model(
        page="https://developer.atlassian.com/cloud/trello/guides/rest-api/rate-limits/",
        limits=both(fixed(100, 10.0), fixed(300, 10.0)),
        says=[date, trello],
        type="application/json",
        body=json.dumps({"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}),
    ),
    "ringcentral": Model(
        page="https://developers.ringcentral.com/guide/basics/rate-limits",
        limits=sliding(50, MINUTE),
        says=[
            fields("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining"),
            constant(X_Rate_Limit_Group="light", X_Rate_Limit_Window="60"),
        ],
        refuses=[retry_after],
        pages=200,
    ),
    "elastic-cloud": Model(
        page="https://elastic.co/docs/api/doc/cloud/topic/topic-rate-limiting",
        limits=fixed(100, MINUTE),
        says=[fields("x-ratelimit-limit", "x-ratelimit-remaining"), constant(x_ratelimit_interval="1m")],
    ),
    "upbit": Model(
        page="https://global-docs.upbit.com/reference/rate-limits",
        limits=aligned(30, 1.0),
        says=[date, upbit],
        begins=MINUTE,
    ),
    # The limit that is closest to being exceeded
    "toast": Model(
        page="https://dev.toasttab.com/Ie5QH/apiRateLimitingHeaderFieldsV2.html",
        limits=both(aligned(20, 1.0), aligned(200, 900.0)),
        says=[date, closest("X-Toast-RateLimit-By", "X-Toast-RateLimit-")],
        declared=False,
        refuses=[retry_after],
        pages=250,
        begins=DAY,
    ),
    "verify-access": Model(
        page="https://www.ibm.com/docs/en/sva/11.0.3?topic=stanza-add-response-headers",
        limits=both(fixed(20, 10.0, name="burst"), fixed(60, MINUTE, name="minute")),
        says=[date, closest("X-Rate-Limit-Policy", "X-Rate-Limit-")],
        declared=False,
        pages=200,
    ),
    # Credits and tokens
    "miro": Model(
        page="https://developers.miro.com/v1.0/reference/ratelimiting",
        limits=fixed(100, MINUTE),
        says=[date, in_credits],
        pages=250,
    ),
    "cerebras": Model(
        page="https://inference-docs.cerebras.ai/support/rate-limits",
        limits=both(aligned(100, MINUTE), aligned(14_400, DAY)),
        says=[in_tokens],
        pages=250,
        begins=DAY,
    ),
    # Buckets
    "qomon": Model(
        page="https://developers.qomon.com/rights-limiting",
        limits=bucket(40, 4.0, states_time_to_full=True),
        says=[qomon],
    ),
    "azure-devops": Model(
        page="https://learn.microsoft.com/en-us/azure/devops/integrate/concepts/rate-limits",
        limits=bucket(60, 0.2, states_time_to_full=True),
        says=[date, legacy(), constant(X_RateLimit_Resource="Core/Usage", X_RateLimit_Delay="0")],
        refuses=[retry_after],
        pages=150,
    ),
    # Windows that are estimated from two fixed ones
    "kong-sliding": Model(
        page="https://developer.konghq.com/plugins/rate-limiting-advanced/",
        limits=counter(30, MINUTE),
        says=[legacy(seconds, "RateLimit-")],
        refuses=[retry_after],
        pages=150,
    ),
    "upstash": Model(
        page="https://upstash.com/docs/redis/sdks/ratelimit-ts/algorithms",
        limits=counter(10, 10.0),
        says=[legacy(epoch_ms)],
        pages=150,
    ),
    # Limits that only refusals state
    "trakt": Model(
        page="https://docs.trakt.tv/docs/rate-limiting",
        limits=fixed(100, 300.0),
        refuses=[trakt, retry_after],
        declared=False,
        pages=250,
    ),
    "skuvault": Model(
        page="https://dev.skuvault.com/docs",
        limits=fixed(20, MINUTE),
        refuses=[legacy(milliseconds)],
        declared=False,
        pages=100,
    ),
}
"""Model by name."""
