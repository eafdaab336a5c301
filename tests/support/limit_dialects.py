"""Dialects of servers with limits: algorithms, and the fields and bodies that state them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from support.server_limits import (
    AlignedWindow,
    Answer,
    ChangingWindow,
    CostlyBucket,
    Decision,
    Fields,
    FixedWindow,
    Limit,
    PricedWindow,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
)

HOUR = 3600.0
Limits = Callable[[random.Random], Sequence[Limit]]


# ---- limits ----------------------------------------------------------------------------------------------------------


def fixed(quota: int, window: float, **options: Any) -> Limits:
    """Return a window that begins with its first request."""
    return lambda rng: [FixedWindow(quota=quota, window=window, **options)]


def aligned(quota: int, window: float) -> Limits:
    """Return windows that begin at multiples of their length, on the server's clock."""
    return lambda rng: [AlignedWindow(quota=quota, window=window)]


def bucket(size: int, per_second: float, **options: Any) -> Limits:
    """Return a token bucket, by its size and its refill."""
    return lambda rng: [TokenBucket(quota=size, window=size / per_second, **options)]


def nearby(rng: random.Random, in_flight: int) -> float:
    """Return the latency of a server in the same network that sends small files."""
    return rng.uniform(0.0005, 0.0015)


def sliding(quota: int, window: float, **options: Any) -> Limits:
    """Return a window that slides."""
    return lambda rng: [SlidingLog(quota=quota, window=window, **options)]


def counter(quota: int, window: float) -> Limits:
    """Return a sliding window that is estimated from two fixed ones."""
    return lambda rng: [SlidingCounter(quota=quota, window=window, phase=rng.random() * window)]


def changing(quota: int, window: float, *changes: tuple[float, int]) -> Limits:
    """Return a window whose quota changes: seconds after the first request, and the quota from then on."""
    return lambda rng: [ChangingWindow(quota=quota, window=window, changes=changes)]


def costly(size: int, per_second: float, costs: tuple[int, int]) -> Limits:
    """Return a token bucket from which each request takes another number of tokens."""
    return lambda rng: [
        CostlyBucket(quota=size, window=size / per_second, costs=costs, rng=random.Random(rng.random()))
    ]


def priced(quota: int, window: float) -> Limits:
    """Return a window of which each request takes as many units as its page costs."""
    return lambda rng: [PricedWindow(quota=quota, window=window)]


def both(*limits: Limits) -> Limits:
    """Return several limits that hold together."""
    return lambda rng: [one for made in limits for one in made(rng)]


# ---- header fields ---------------------------------------------------------------------------------------------------

Stated = Callable[[Answer, float], str]
"""Returns a reset as a field states it, from the answer and the seconds until then."""


def epoch(answer: Answer, reset: float) -> str:
    """State a reset as seconds since the epoch."""
    return str(math.ceil(answer.now + reset))


def epoch_ms(answer: Answer, reset: float) -> str:
    """State a reset as milliseconds since the epoch."""
    return str(math.ceil(1000 * (answer.now + reset)))


def second_late(answer: Answer, reset: float) -> str:
    """State a reset as seconds since the epoch, one second late, as slowapi does."""
    return str(math.ceil(answer.now + reset) + 1)


def seconds(answer: Answer, reset: float) -> str:
    """State a reset as seconds from now."""
    return str(math.ceil(reset))


def decimals(answer: Answer, reset: float) -> str:
    """State a reset as seconds from now, exactly."""
    return f"{reset:.3f}"


def go_duration(answer: Answer, reset: float) -> str:
    """State a reset as a duration of Go."""
    return f"{int(reset // 60)}m{reset % 60:.2f}s" if reset >= 60 else f"{reset:.2f}s"


def iso(answer: Answer, reset: float) -> str:
    """State a reset as a date of RFC 3339."""
    return datetime.fromtimestamp(math.ceil(answer.now + reset), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_minute(answer: Answer, reset: float) -> str:
    """State a reset as a date of ISO 8601, to the minute."""
    return datetime.fromtimestamp(answer.now + reset, UTC).strftime("%Y-%m-%dT%H:%MZ")


def http_date(answer: Answer, reset: float) -> str:
    """State a reset as a date of HTTP."""
    return formatdate(math.ceil(answer.now + reset), usegmt=True)


def javascript_date(answer: Answer, reset: float) -> str:
    """State a reset as JavaScript writes dates."""
    at = datetime.fromtimestamp(answer.now + reset + HOUR, UTC)
    return at.strftime("%a %b %d %Y %H:%M:%S GMT+0100 (Central European Standard Time)")


def milliseconds(answer: Answer, reset: float) -> str:
    """State a reset as milliseconds from now."""
    return str(math.ceil(1000 * reset))


def fields(limit: str = "", left: str = "", reset: str = "", *, by: Stated = epoch, of: int = 0) -> Fields:
    """Return fields with these names for the limit of a number."""

    def says(answer: Answer) -> dict[str, str]:
        one, decision = answer.limits[of]
        said = {limit: str(one.quota), left: str(decision.remaining), reset: by(answer, decision.reset)}
        return {name: value for name, value in said.items() if name}

    return says


def legacy(by: Stated = epoch, prefix: str = "X-RateLimit-", *, of: int = 0) -> Fields:
    """Return the three usual fields."""
    return fields(f"{prefix}Limit", f"{prefix}Remaining", f"{prefix}Reset", by=by, of=of)


def constant(**said: str) -> Fields:
    """Return fields that never change; ``_`` in their names stands for ``-``."""
    return lambda answer: {name.replace("_", "-"): value for name, value in said.items()}


def only_empty(says: Fields) -> Fields:
    """Return fields that are stated when nothing is left."""
    return lambda answer: {} if answer.limits[0][1].remaining else says(answer)


def date(answer: Answer) -> dict[str, str]:
    """State the clock of the server."""
    return {"Date": formatdate(int(answer.now), usegmt=True)}


def retry_after(answer: Answer) -> dict[str, str]:
    """State the wait, rounded up."""
    return {"Retry-After": str(max(1, math.ceil(answer.wait)))}


def draft8(*names: str, policy: bool = True, state: bool = True) -> Fields:
    """Return the fields of the eighth draft of the IETF."""

    def says(answer: Answer) -> dict[str, str]:
        pairs = list(zip(names, answer.limits, strict=True))
        policies = ", ".join(f'"{name}";q={limit.quota};w={limit.window:g}' for name, (limit, _) in pairs)
        states = ", ".join(f'"{name}";r={it.remaining};t={math.ceil(it.reset)}' for name, (_, it) in pairs)
        said = {"RateLimit-Policy": policies * policy, "RateLimit": states * state}
        return {name: value for name, value in said.items() if value}

    return says


def draft6(answer: Answer, pair: tuple[Limit, Decision]) -> dict[str, str]:
    """State one limit as the sixth draft of the IETF does."""
    limit, decision = pair
    return {
        "RateLimit-Limit": str(limit.quota),
        "RateLimit-Policy": f"{limit.quota};w={limit.window:g}",
        "RateLimit-Remaining": str(decision.remaining),
        "RateLimit-Reset": seconds(answer, decision.reset),
    }


def strava(answer: Answer) -> dict[str, str]:
    """State limits and use of all windows as lists."""
    return {
        "X-RateLimit-Limit": ",".join(str(limit.quota) for limit, _ in answer.limits),
        "X-RateLimit-Usage": ",".join(str(limit.quota - decision.remaining) for limit, decision in answer.limits),
    }


def ratio(name: str, before: str = "") -> Fields:
    """State what is used of the limit."""

    def says(answer: Answer) -> dict[str, str]:
        limit, decision = answer.limits[0]
        return {name: f"{before}{limit.quota - decision.remaining}/{limit.quota}"}

    return says


def nearest(before: str) -> Fields:
    """State all windows, each after a limit and `before`, and the remainder of the one that is closest to used up."""

    def says(answer: Answer) -> dict[str, str]:
        limit, decision = min(answer.limits, key=lambda pair: pair[1].remaining)
        policies = ", ".join(f"{one.quota}{before}{one.window:g}" for one, _ in answer.limits)
        return {
            "X-RateLimit-Limit": f"{limit.quota}, {policies}",
            "X-RateLimit-Remaining": str(decision.remaining),
            "X-RateLimit-Reset": seconds(answer, decision.reset),
        }

    return says


def window_in_value(answer: Answer) -> dict[str, str]:
    """State the window as a parameter of each value."""
    limit, decision = answer.limits[0]
    after = f";w={limit.window:g}"
    return {"ratelimit-limit": f"{limit.quota}{after}", "ratelimit-remaining": f"{decision.remaining}{after}"}


def hubspot(answer: Answer) -> dict[str, str]:
    """State a window in milliseconds without its phase, and a day."""
    (ten, left), (day, left_today) = answer.limits
    return {
        "X-HubSpot-RateLimit-Daily": str(day.quota),
        "X-HubSpot-RateLimit-Daily-Remaining": str(left_today.remaining),
        "X-HubSpot-RateLimit-Interval-Milliseconds": f"{1000 * ten.window:g}",
        "X-HubSpot-RateLimit-Max": str(ten.quota),
        "X-HubSpot-RateLimit-Remaining": str(left.remaining),
    }


def shopify_graphql(answer: Answer) -> str:
    """Return an answer of Shopify's GraphQL API, which states the points that are left; or its error if none are."""
    limit, decision = answer.limits[0]
    status = {
        "maximumAvailable": limit.quota,
        "currentlyAvailable": decision.remaining,
        "restoreRate": limit.quota / limit.window,
    }
    found: dict[str, Any] = {"extensions": {"cost": {"throttleStatus": status}}}
    if answer.allowed:
        return json.dumps({"data": {}} | found)
    return json.dumps({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]} | found)


def matrix(answer: Answer) -> str:
    """Return an answer of a homeserver of Matrix, whose error states the wait to the millisecond."""
    if answer.allowed:
        return "{}"
    wait = math.ceil(1000 * answer.wait)
    return json.dumps({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": wait})


def google(word: str) -> str:
    """Return the error document of a Google API."""
    return json.dumps({"error": {"code": 403, "message": "Rate Limit Exceeded", "errors": [{"reason": word}]}})
