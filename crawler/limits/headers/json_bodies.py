"""`read_body`: what the JSON document of an answer says of limits, as far as vendors and standards document it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.reset_times import DAY
from crawler.limits.headers.retry_after import YEAR, parse_retry_after
from crawler.limits.json_numbers import json_count

__all__ = ["read_body"]

PROBLEMS: Final = ("quota-exceeded", "temporary-reduced-capacity", "abnormal-usage-detected")
"""Problem types of the IETF draft, under ``https://iana.org/assignments/http-problem-types#``."""
CODES: Final = {
    "M_LIMIT_EXCEEDED", "RATELIMITED", "RATE_LIMITED", "THROTTLED", "maxlag", "quotaExceeded", "rateLimitExceeded",
    "ratelimited", "userRateLimitExceeded",
}  # fmt: skip
"""What Matrix, Linear, Shopify, MediaWiki, Slack and Google call a refusal."""
MOST: Final = 32
"""Members of a list: the rest is ignored."""
NAME: Final = 100
"""Characters of a name."""


def _get(document: Any, *path: str) -> Any:
    """What stands at a path in nested objects; `None`: nothing."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _objects(value: Any) -> list[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed[:MOST] if isinstance(one, dict)]


def _waits(document: dict[str, Any]) -> Iterator[float]:
    """Seconds."""
    for key, unit in (
        ("retry_after_ms", 1e-3),
        ("retry_after", 1.0),
        ("backoff", 1.0),
    ):  # Matrix, Discord, Stack Exchange
        if (wait := json_count(document.get(key))) is not None:
            yield wait * unit
    for error in _objects(document.get("error")):
        for detail in _objects(error.get("details")):
            delay = detail.get("retryDelay")  # google.rpc.RetryInfo
            if isinstance(delay, str) and (wait := parse_retry_after(delay, now=0.0)) is not None:
                yield wait


def _codes(document: dict[str, Any]) -> Iterator[Any]:
    error = document.get("error")
    yield document.get("errcode")
    yield error
    for one in (*_objects(error), *_objects(document.get("errors"))):
        yield one.get("code")
        yield _get(one, "extensions", "code")
        for reason in _objects(one.get("errors")):
            yield reason.get("reason")


def _violated(document: dict[str, Any]) -> Iterator[str]:
    if document.get("global") is True and json_count(document.get("retry_after")) is not None:
        yield "global"
    yield from (code for code in _codes(document) if isinstance(code, str) and code in CODES)
    kind = document.get("type")
    if isinstance(kind, str) and kind.rpartition("#")[2] in PROBLEMS:
        named = document.get("violated-policies")
        yield from (name[:NAME] for name in (named if isinstance(named, list) else ())[:MOST] if isinstance(name, str))


def _observations(document: dict[str, Any]) -> Iterator[Observation]:
    left = json_count(document.get("quota_remaining"))
    if left is not None:  # Stack Exchange: by day
        yield Observation(
            policy="quota", limit=json_count(document.get("quota_max")) or None, remaining=left, window=DAY
        )
    status = _get(document, "extensions", "cost", "throttleStatus")
    left = json_count(_get(status, "currentlyAvailable"))
    if left is not None:  # Shopify's GraphQL
        yield Observation(
            policy="graphql",
            limit=json_count(_get(status, "maximumAvailable")) or None,
            remaining=left,
            rate=json_count(_get(status, "restoreRate")) or None,
            unit="points",
        )


def read_body(document: Any) -> Declared:
    """What a document says of limits; what is not understood says nothing, and no document raises.

    Parameters:
        document: a JSON document, decoded: Matrix, Discord, Stack Exchange, Shopify, Google, MediaWiki, Slack, Linear,
            or a problem (RFC 9457) of the IETF draft on rate limits.
    """
    if not isinstance(document, dict):
        return NOTHING
    declared = Declared(
        observations=tuple(_observations(document)),
        retry_after=max((min(wait, YEAR) for wait in _waits(document)), default=None),
        violated=tuple(dict.fromkeys(_violated(document))),
    )
    return declared or NOTHING
