"""Read what a JSON body declares about limits, in the forms that vendors and standards document."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.refusal_words import META_CODES, REFUSAL_CODES, REFUSAL_TEXTS
from crawler.limits.headers.reset_times import DAY, parse_time
from crawler.limits.headers.retry_after import MAX_RETRY_AFTER
from crawler.limits.json_numbers import json_count

__all__ = ["read_json_limits"]

PROBLEM_TYPES: Final = ("quota-exceeded", "temporary-reduced-capacity", "abnormal-usage-detected")
"""Problem types of the IETF draft, under ``https://iana.org/assignments/http-problem-types#``."""
WAIT_MEMBERS: Final = {
    "backoff": 1.0,  # Stack Exchange
    "retryafter": 1.0,  # Discord, Telegram
    "retryafterseconds": 1.0,
    "retryafterms": 1e-3,  # Matrix
    "retryaftermillis": 1e-3,
    "retryaftermilliseconds": 1e-3,
    "retrydelay": 1.0,  # google.rpc.RetryInfo
}
"""Members that state a wait, spelled in small letters alone, with the unit of their numbers in seconds."""
ENVELOPES: Final = ("error", "errors", "details", "parameters", "extensions", "meta", "metadata")
"""Members whose objects describe the error, or how it is to be handled."""
MAX_DEPTH: Final = 3
"""Envelopes inside each other that are opened."""
MAX_MEMBERS: Final = 32
"""Members of a list; the rest is ignored."""
MAX_NAME_LENGTH: Final = 100
"""Characters."""


def read_json_limits(document: Any) -> Declared:
    """Return what a decoded JSON document declares about limits. Unknown content is ignored; no document raises."""
    if isinstance(document, list):  # Salesforce: a list of errors
        document = {"errors": document}
    if not isinstance(document, dict):
        return NOTHING
    declared = Declared(
        observations=tuple(_observations(document)),
        retry_after=max((min(wait, MAX_RETRY_AFTER) for wait in _waits(document)), default=None),
        violated=tuple(dict.fromkeys(_violated(document))),
    )
    return declared or NOTHING


def _get(document: Any, *path: str) -> Any:
    """Return the value at a path of nested objects, or `None` if there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, or a single object as a list."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values[:MAX_MEMBERS] if isinstance(one, dict)]


def _waits(document: dict[str, Any], depth: int = MAX_DEPTH) -> Iterator[float]:
    """Yield every wait that the document or an envelope in it states, in seconds."""
    for key, value in islice(document.items(), MAX_MEMBERS):
        unit = WAIT_MEMBERS.get(key.replace("_", "").replace("-", "").lower())
        if unit is not None and (wait := _seconds(value, unit)) is not None:
            yield wait
    for name in ENVELOPES if depth else ():
        for inner in _objects(document.get(name)):
            yield from _waits(inner, depth - 1)


def _seconds(value: Any, unit: float) -> float | None:
    """Return a number of a unit, or a text such as ``"12.77s"``, in seconds; `None` if it is no time from now."""
    if isinstance(value, str):
        time = parse_time(value, now=-math.inf, milliseconds=unit < 1.0)
        return None if time is None or time.absolute else time.value
    number = json_count(value)
    return None if number is None else number * unit


def _error_codes(document: dict[str, Any]) -> Iterator[Any]:
    error = document.get("error")
    yield document.get("errcode")
    yield document.get("error_name")
    yield from error[:MAX_MEMBERS] if isinstance(error, list) else (error,)  # Kraken: a list of texts
    for kind in (document.get("__type"), document.get("code")):  # Amazon: `com.amazonaws.dynamodb#ThrottlingException`
        yield kind.rpartition("#")[2].partition(":")[0] if isinstance(kind, str) else None
    for one in (*_objects(error), *_objects(document.get("errors"))):
        yield one.get("code")
        yield one.get("errorCode")
        yield one.get("type")
        yield _get(one, "extensions", "code")
        for reason in (*_objects(one.get("errors")), *_objects(one.get("details"))):
            yield reason.get("reason")


def _violated(document: dict[str, Any]) -> Iterator[str]:
    """Yield the names of violated policies."""
    if document.get("global") is True and json_count(document.get("retry_after")) is not None:
        yield "global"
    codes = (code for code in _error_codes(document) if isinstance(code, str))
    yield from (code for code in codes if code in REFUSAL_CODES or code in REFUSAL_TEXTS)
    if _get(document, "error", "fbtrace_id") is not None and _get(document, "error", "code") in META_CODES:
        yield "meta"
    problem = document.get("type")
    if isinstance(problem, str) and problem.rpartition("#")[2] in PROBLEM_TYPES:
        named = document.get("violated-policies")
        names = (named if isinstance(named, list) else ())[:MAX_MEMBERS]
        yield from (name[:MAX_NAME_LENGTH] for name in names if isinstance(name, str))


def _observations(document: dict[str, Any]) -> Iterator[Observation]:
    remaining = json_count(document.get("quota_remaining"))
    if remaining is not None:  # Stack Exchange: a quota per day
        limit = json_count(document.get("quota_max")) or None
        yield Observation(policy="quota", limit=limit, remaining=remaining, window=DAY)
    status = _get(document, "extensions", "cost", "throttleStatus")
    remaining = json_count(_get(status, "currentlyAvailable"))
    if remaining is not None:  # Shopify's GraphQL API
        yield Observation(
            policy="graphql",
            limit=json_count(_get(status, "maximumAvailable")) or None,
            remaining=remaining,
            rate=json_count(_get(status, "restoreRate")) or None,
            unit="points",
        )
