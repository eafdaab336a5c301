"""`UNSEEN_MODELS`: servers whose dialects no rule was written for, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from support.limit_dialects import (
    aligned,
    both,
    bucket,
    constant,
    date,
    epoch_ms,
    fields,
    fixed,
    iso,
    legacy,
    nearest,
    retry_after,
    seconds,
    sliding,
)
from support.model_server import Model
from support.server_limits import Answer, Fields

__all__ = ["UNSEEN_MODELS"]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def ruby_date(answer: Answer, reset: float) -> str:
    """State a reset as Ruby prints a time, with an offset."""
    at = datetime.fromtimestamp(answer.now + reset, UTC) + timedelta(seconds=1)
    return at.astimezone(timezone(timedelta(hours=-7))).strftime("%Y-%m-%d %H:%M:%S %z")


def offset_date(answer: Answer, reset: float) -> str:
    """State a reset as a date of RFC 3339 with an offset."""
    return datetime.fromtimestamp(round(answer.now + reset), UTC).isoformat()


def by_window(*names: str, resets: bool = False) -> Fields:
    """Return the usual fields of each window, whose name is the last word of theirs."""

    def says(answer: Answer) -> Mapping[str, str]:
        said = {}
        for name, (limit, decision) in zip(names, answer.limits, strict=True):
            said[f"X-RateLimit-Limit-{name}"] = str(limit.quota)
            said[f"X-RateLimit-Remaining-{name}"] = str(decision.remaining)
            if resets:
                said[f"X-RateLimit-Reset-{name}"] = str(round(answer.now + decision.reset + 0.5))
        return said

    return says


def from_a_fifth_on(says: Fields) -> Fields:
    """Return fields that are stated when a fifth or less is left."""

    def late(answer: Answer) -> Mapping[str, str]:
        limit, decision = answer.limits[0]
        return says(answer) if 5 * decision.remaining <= limit.quota else {}

    return late


def count(answer: Answer) -> Mapping[str, str]:
    """State what is used and the end of the window, and never the limit."""
    limit, decision = answer.limits[0]
    used = limit.quota - decision.remaining
    return {"X-Ratelimit-Count": str(used), "X-Ratelimit-Reset": seconds(answer, decision.reset)}


def bybit(answer: Answer) -> Mapping[str, str]:
    """State limit and remainder of a second; the end only if nothing is left, else the present time."""
    limit, decision = answer.limits[0]
    reset = 0.0 if decision.remaining else decision.reset
    return {
        "X-Bapi-Limit": str(limit.quota),
        "X-Bapi-Limit-Status": str(decision.remaining),
        "X-Bapi-Limit-Reset-Timestamp": epoch_ms(answer, reset),
    }


def too_many_visits(answer: Answer) -> str:
    """Return an answer of Bybit, whose refusals have the status of a success."""
    code, message = (0, "OK") if answer.allowed else (10006, "Too many visits!")
    return json.dumps({"retCode": code, "retMsg": message, "result": {}})


def use_limit(answer: Answer) -> Mapping[str, str]:
    """State the limit of a key and its use."""
    limit, decision = answer.limits[0]
    return {"API-KEY-MAX-LIMIT": str(limit.quota), "API-KEY-USE-LIMIT": str(limit.quota - decision.remaining)}


def esi(answer: Answer) -> Mapping[str, str]:
    """State a floating window, and the two tokens that each request takes."""
    limit, decision = answer.limits[0]
    return {
        "X-Ratelimit-Group": "market",
        "X-Ratelimit-Limit": f"{2 * limit.quota}/{limit.window / MINUTE:g}m",
        "X-Ratelimit-Remaining": str(2 * decision.remaining),
        "X-Ratelimit-Used": "2",
    }


def discogs(answer: Answer) -> Mapping[str, str]:
    """State limit, use and remainder."""
    limit, decision = answer.limits[0]
    return {
        "X-Discogs-Ratelimit": str(limit.quota),
        "X-Discogs-Ratelimit-Used": str(limit.quota - decision.remaining),
        "X-Discogs-Ratelimit-Remaining": str(decision.remaining),
    }


def tradier(answer: Answer) -> Mapping[str, str]:
    """State a window in words of its own."""
    limit, decision = answer.limits[0]
    return {
        "X-Ratelimit-Allowed": str(limit.quota),
        "X-Ratelimit-Used": str(limit.quota - decision.remaining),
        "X-Ratelimit-Available": str(decision.remaining),
        "X-Ratelimit-Expiry": epoch_ms(answer, decision.reset),
    }


def riot(answer: Answer) -> Mapping[str, str]:
    """State all limits and their use as pairs of units and seconds."""
    pairs = answer.limits
    return {
        "X-App-Rate-Limit": ",".join(f"{limit.quota}:{limit.window:g}" for limit, _ in pairs),
        "X-App-Rate-Limit-Count": ",".join(
            f"{limit.quota - decision.remaining}:{limit.window:g}" for limit, decision in pairs
        ),
    }


UNSEEN_MODELS: Final[dict[str, Model]] = {
    # Windows whose end is stated
    "gusto": Model(
        page="https://docs.gusto.com/embedded-payroll/changelog/added-rate-limit-headers",
        limits=fixed(100, MINUTE),
        says=[date, legacy(ruby_date)],
        refuses=[retry_after],
    ),
    "omophub": Model(
        page="https://docs.omophub.com/api-reference/rate-limit",
        limits=fixed(60, MINUTE),
        says=[legacy(seconds, "ratelimit-"), constant(ratelimit_window="60")],
        refuses=[retry_after],
    ),
    "awardee": Model(
        page="https://api-docs.awardee.dev/concepts/rate-limits",
        limits=both(aligned(60, MINUTE), aligned(1000, HOUR)),
        says=[date, by_window("Minute", "Hour", resets=True)],
        refuses=[retry_after],
        begins=DAY,
    ),
    "hyperline": Model(
        page="https://docs.hyperline.co/api-reference/docs/rate-limiting",
        limits=fixed(50, 10.0),
        says=[date, legacy(iso)],
        refuses=[retry_after],
    ),
    "pagerduty": Model(
        page="https://support.pagerduty.com/main/docs/rest-api-rate-limits",
        limits=fixed(100, MINUTE),
        says=[legacy(seconds, "ratelimit-")],
    ),
    "hipchat": Model(
        page="https://developer.atlassian.com/server/hipchat/hipchat-rest-api-rate-limits",
        limits=both(aligned(500, 300.0), aligned(30, MINUTE)),
        says=[date, legacy(prefix="X-Ratelimit-"), legacy(prefix="X-FloodControl-", of=1)],
        pages=200,
        begins=DAY,
    ),
    "walmart": Model(
        page="https://developer.walmart.com/us/whats-new/new-throttling-information-is-now-available/",
        limits=aligned(60, MINUTE),
        says=[date, fields("", "X-Current-Token-Count", "X-Next-Replenishment-Time", by=epoch_ms)],
        begins=DAY,
    ),
    "fitbit": Model(
        page="https://dev.fitbit.com/build/reference/web-api/troubleshooting-guide/",
        limits=aligned(150, HOUR),
        says=[legacy(seconds, "Fitbit-Rate-Limit-")],
        refuses=[retry_after],
        begins=DAY,
    ),
    "yelp": Model(
        page="https://docs.developer.yelp.com/docs/places-rate-limiting",
        limits=both(aligned(300, DAY), aligned(100, DAY)),
        says=[
            date,
            fields("RateLimit-DailyLimit", "RateLimit-Remaining", "RateLimit-ResetTime", by=offset_date),
            fields("RateLimit-ResourceDailyLimit", "RateLimit-ResourceRemaining", of=1),
        ],
        pages=150,
        begins=DAY,
    ),
    "statuscake": Model(
        page="https://developers.statuscake.com/guides/api/ratelimiting",
        limits=both(fixed(5, 1.0), fixed(60, MINUTE)),
        says=[nearest(";w=")],
        pages=200,
    ),
    "imgur": Model(
        page="https://rmp135.github.io/imgur/ratelimits",
        limits=both(fixed(100, HOUR), fixed(12_500, DAY)),
        says=[
            date,
            fields("X-RateLimit-UserLimit", "X-RateLimit-UserRemaining", "X-RateLimit-UserReset"),
            fields("X-RateLimit-ClientLimit", "X-RateLimit-ClientRemaining", of=1),
        ],
        pages=250,
    ),
    "tradier": Model(
        page="https://documentation.tradier.com/brokerage-api/overview/rate-limiting",
        limits=fixed(60, MINUTE),
        says=[date, tradier],
    ),
    "sharepoint": Model(
        page="https://learn.microsoft.com/en-us/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online",
        limits=fixed(100, MINUTE),
        says=[from_a_fifth_on(legacy(seconds, "RateLimit-"))],
        refuses=[retry_after],
    ),
    # Sliding windows
    "plusmedical": Model(
        page="https://plusmedical.ro/developers/rate-limits/",
        limits=sliding(60, MINUTE),
        says=[date, legacy()],
    ),
    "botpress": Model(
        page="https://botpress.com/docs/api-reference/ratelimiting/",
        limits=sliding(100, MINUTE),
        says=[legacy(seconds, "RateLimit-")],
    ),
    "reka": Model(
        page="https://docs.reka.ai/vision/rate-limits",
        limits=sliding(100, DAY),
        says=[
            fields(
                "x-ratelimit-requests-limit", "x-ratelimit-requests-remaining", "x-ratelimit-requests-reset", by=seconds
            ),
            lambda answer: {"retry-after": "0" if answer.allowed else seconds(answer, answer.wait)},
        ],
        pages=250,
    ),
    "bybit": Model(
        page="https://bybit-exchange.github.io/docs/v5/rate-limit",
        limits=sliding(10, 1.0),
        status=200,
        says=[bybit],
        answers=too_many_visits,
    ),
    "esi": Model(
        page="https://developers.eveonline.com/docs/services/esi/rate-limiting/",
        limits=sliding(75, 900.0),
        says=[esi],
        refuses=[retry_after],
        pages=200,
    ),
    # Windows whose length only the name of a field or of a policy states
    "sap": Model(
        page="https://help.sap.com/doc/b61dd8c7e22c4fe489f191f66b4c48d6/cloud/en-US/962cc344f5e443ffaae9e8aaa15cf34e.html",
        limits=both(aligned(5, 1.0), aligned(100, MINUTE), aligned(1000, HOUR), aligned(5000, DAY)),
        says=[by_window("second", "minute", "hour", "day")],
        begins=DAY,
    ),
    "riot": Model(
        page="https://hextechdocs.dev/rate-limiting",
        limits=both(fixed(20, 1.0), fixed(100, 120.0)),
        says=[riot],
        refuses=[retry_after, constant(X_Rate_Limit_Type="application")],
        pages=250,
    ),
    # Windows whose length and end are not stated
    "coinglass": Model(
        page="https://docs.coinglass.com/reference/responses-error-codes.md",
        limits=aligned(60, MINUTE),
        says=[use_limit],
        begins=DAY,
    ),
    "freshservice": Model(
        page="https://docs.exalate.com/docs/freshservice-rate-limits",
        limits=fixed(100, MINUTE),
        says=[fields("X-RateLimit-Total", "X-RateLimit-Remaining"), constant(X_RateLimit_Used_CurrentRequest="1")],
        refuses=[retry_after],
    ),
    "discogs": Model(
        page="https://rdrr.io/github/ewenme/discogr/src/R/limiting.R",
        limits=sliding(60, MINUTE),
        says=[discogs],
    ),
    "nasa": Model(
        page="https://api.nasa.gov/assets/html/authentication.html",
        limits=sliding(100, HOUR),
        says=[fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        pages=250,
    ),
    "foursquare": Model(
        page="https://docs.foursquare.com/developer/reference/v2-rate-limits",
        limits=fixed(100, HOUR),
        status=403,
        says=[date, fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        refuses=[fields("", "", "X-RateLimit-Reset")],
        body="",
        pages=250,
    ),
    # Buckets
    "layerfi": Model(
        page="https://docs-beta.layerfi.com/api-details/rate-limiting",
        limits=bucket(60, 2.0, states_time_to_full=True),
        says=[date, legacy()],
        refuses=[retry_after],
    ),
    # Limits that only refusals state
    "feedly": Model(
        page="https://developers.feedly.com/reference/request-limits",
        limits=fixed(100, DAY),
        says=[count],
        declared=False,
        pages=250,
    ),
    "supersonic": Model(
        page="https://docs.supersonic.cv/reference/rate-limits",
        limits=both(fixed(1000, MINUTE), fixed(20, 1.0)),
        says=[date, legacy()],
        refuses=[retry_after],
        declared=False,
        pages=600,
    ),
}
"""Model by name."""
