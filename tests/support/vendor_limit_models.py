"""`VENDOR_MODELS`: further servers with limits, each written from a page of documentation, by name."""

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
    date,
    decimals,
    fields,
    fixed,
    http_date,
    iso,
    javascript_date,
    legacy,
    matrix,
    milliseconds,
    only_empty,
    ratio,
    retry_after,
    seconds,
    sliding,
)
from support.model_server import Model
from support.server_limits import Answer

__all__ = ["VENDOR_MODELS"]

MINUTE, HOUR = 60.0, 3600.0


def bolddesk(answer: Answer) -> Mapping[str, str]:
    """State the window where others state the limit, and the reset to the microsecond."""
    limit, decision = answer.limits[0]
    reset = datetime.fromtimestamp(answer.now + decision.reset, UTC)
    return {
        "x-rate-limit-limit": f"{limit.window / MINUTE:g}m",
        "x-rate-limit-remaining": str(decision.remaining),
        "x-rate-limit-reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def contentful(answer: Answer) -> Mapping[str, str]:
    """State what is left of a second and of an hour, and when the next request may be sent."""
    (second, left), (hour, left_in_hour) = answer.limits
    return {
        "X-Contentful-RateLimit-Hour-Limit": str(hour.quota),
        "X-Contentful-RateLimit-Hour-Remaining": str(left_in_hour.remaining),
        "X-Contentful-RateLimit-Second-Limit": str(second.quota),
        "X-Contentful-RateLimit-Second-Remaining": str(left.remaining),
        "X-Contentful-RateLimit-Reset": str(math.ceil(answer.wait)),
    }


VENDOR_MODELS: Final[dict[str, Model]] = {
    # Windows
    "sentry": Model(
        page="https://docs.sentry.io/api/ratelimits",
        limits=aligned(40, 5.0),
        at_once=6,
        says=[
            date,
            legacy(prefix="X-Sentry-Rate-Limit-"),
            constant(X_Sentry_Rate_Limit_ConcurrentLimit="6", X_Sentry_Rate_Limit_ConcurrentRemaining="5"),
        ],
        begins=MINUTE,
    ),
    "datadog": Model(
        page="https://docs.datadoghq.com/api/latest/rate-limits",
        limits=aligned(100, MINUTE),
        says=[legacy(seconds), constant(X_RateLimit_Period="60", X_RateLimit_Name="dashboards_read")],
        begins=MINUTE,
    ),
    "intercom": Model(
        page="https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting",
        limits=aligned(40, 10.0),
        says=[date, legacy()],
        begins=MINUTE,
    ),
    "brevo": Model(
        page="https://developers.brevo.com/docs/limit-headers",
        limits=fixed(100, MINUTE),
        says=[legacy(seconds, "x-sib-ratelimit-")],
    ),
    "bolddesk": Model(
        page="https://support.bolddesk.com/kb/article/808/api-rate-limits-optimizing-restful-api-usage",
        limits=fixed(100, MINUTE),
        says=[bolddesk],
    ),
    "lemlist": Model(
        page="https://developer.lemlist.com/api-reference/getting-started/rate-limits",
        limits=fixed(20, 2.0),
        says=[date, legacy(javascript_date), constant(Retry_After="2")],
    ),
    "prisjakt": Model(
        page="https://developer.prisjakt.nu/docs/sections/rate-limit",
        limits=fixed(100, HOUR),
        says=[legacy(milliseconds, "X-Rate-Limit-")],
        pages=250,
    ),
    "toggl": Model(
        page="https://engineering.toggl.com/docs/focus",
        limits=fixed(30, HOUR),
        says=[fields("", "X-Toggl-Quota-Remaining", "X-Toggl-Quota-Resets-In", by=seconds)],
        status=402,
        pages=100,
    ),
    "sportmonks": Model(
        page="https://docs.sportmonks.com/football-2/api-references/api-rate-limiting",
        limits=fixed(100, HOUR),
        says=[fields("", "x-ratelimit-remaining")],
        pages=150,
    ),
    "pyannote": Model(
        page="https://docs.pyannote.ai/ratelimits",
        limits=sliding(100, MINUTE),
        says=[fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        refuses=[date, fields("", "", "X-RateLimit-Reset"), retry_after],
    ),
    # Seconds
    "contentful": Model(
        page="https://www.contentful.com/developers/docs/references/content-management-api/",
        limits=both(fixed(7, 1.0), fixed(36_000, HOUR)),
        says=[contentful],
        pages=200,
    ),
    "specter": Model(
        page="https://api.tryspecter.com/api-ref/rate_limits",
        limits=fixed(15, 1.0),
        says=[legacy(decimals)],
    ),
    "resend": Model(
        page="https://resend.com/docs/api-reference/rate-limit",
        limits=fixed(2, 1.0),
        says=[legacy(seconds, "ratelimit-"), constant(ratelimit_policy="2;w=1")],
        refuses=[retry_after],
        pages=100,
    ),
    # Buckets
    "hetzner": Model(
        page="https://docs.hetzner.cloud/reference/cloud#rate-limiting",
        limits=bucket(60, 1.0, states_time_to_full=True),
        says=[date, legacy(prefix="RateLimit-")],
        pages=200,
    ),
    "heroku": Model(
        page="https://devcenter.heroku.com/articles/platform-api-reference#rate-limits",
        limits=bucket(75, 75 / MINUTE),
        says=[fields("", "RateLimit-Remaining")],
        pages=200,
    ),
    "ns1": Model(
        page="https://www.ibm.com/docs/en/ns1-connect?topic=started-api-rate-limiting",
        limits=bucket(90, 3.0),
        says=[fields("X-RateLimit-Limit", "X-RateLimit-Remaining"), constant(X_RateLimit_Period="30")],
    ),
    "gorgias": Model(
        page="https://developers.gorgias.com/reference/limitations-1",
        limits=bucket(40, 2.0),
        says=[ratio("X-Gorgias-Account-Api-Call-Limit")],
        refuses=[retry_after],
        pages=150,
    ),
    "akamai-cloud-wrapper": Model(
        page="https://techdocs.akamai.com/cloudlets/reference/rate-limiting",
        limits=bucket(50, 50 / MINUTE),
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining"),
            only_empty(fields("", "", "X-RateLimit-Next", by=iso)),
        ],
        pages=150,
    ),
    # Limits that only refusals state
    "klaviyo": Model(
        page="https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling",
        limits=both(fixed(10, 1.0), fixed(150, MINUTE)),
        says=[lambda answer: legacy(seconds, "RateLimit-", of=1)(answer) if answer.allowed else {}],
        refuses=[retry_after],
        declared=False,
    ),
    "attio": Model(
        page="https://docs.attio.com/rest-api/guides/rate-limiting",
        limits=aligned(25, 1.0),
        refuses=[date, fields("", "", "Retry-After", by=http_date)],
        declared=False,
    ),
    "synapse": Model(
        page="https://spec.matrix.org/latest/client-server-api/#rate-limiting",
        limits=bucket(20, 4.0),
        refuses=[retry_after],
        answers=matrix,
        declared=False,
        pages=200,
    ),
}
"""Model by name."""
