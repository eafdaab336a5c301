"""Fields whose values have a grammar of their own, by vendor: a table of names and small readers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.reset_times import DAY
from crawler.limits.json_numbers import json_count

__all__ = ["READERS"]

MOST: Final = 32
"""Policies of one value: the rest is ignored."""
RATIO = re.compile(r"([A-Za-z][\w-]{0,99})?=?\s{0,9}(\d{1,15})\s{0,9}/\s{0,9}(\d{1,15})(?!\d)", re.ASCII)
RESOURCE = re.compile(r"([^\s,;][^,;]{0,99});(\d{1,15})(?!\d)", re.ASCII)
FRACTION = re.compile(r"\s*(\d{1,6}(?:\.\d{1,12})?)\s*", re.ASCII)
LEAK: Final = 20.0
"""Shopify restores a bucket of 40, 80 or 400 at 2, 4 or 20 a second."""


def _shopify(value: str, _sent: float, _received: float) -> Declared:
    """``X-Shopify-Shop-Api-Call-Limit: 32/40``: a leaky bucket, how full and how large."""
    if (match := RATIO.fullmatch(value.strip())) is None or not float(match[3]):
        return NOTHING
    used, size = float(match[2]), float(match[3])
    left = max(0.0, size - used)
    return Declared(observations=(Observation(policy="shop-api-call", limit=size, remaining=left, rate=size / LEAK),))


def _salesforce(value: str, _sent: float, _received: float) -> Declared:
    """``Sforce-Limit-Info: api-usage=18/15000``: used and allowed in a day."""
    found = {name: (float(used), float(size)) for name, used, size in RATIO.findall(value)[:MOST] if name}
    return Declared(
        observations=tuple(
            Observation(policy=name, limit=size, remaining=max(0.0, size - used), window=DAY)
            for name, (used, size) in found.items()
            if size
        )
    )


def _azure(value: str, _sent: float, _received: float) -> Declared:
    """``x-ms-ratelimit-remaining-resource: Microsoft.Compute/HighCostGet3Min;159,…``: what is left, by policy."""
    found = {name.strip(): float(left) for name, left in RESOURCE.findall(value)[:MOST]}
    return Declared(observations=tuple(Observation(policy=name, remaining=left) for name, left in found.items()))


def _graph(value: str, _sent: float, _received: float) -> Declared:
    """``x-ms-throttle-limit-percentage: 0.8``: the share that is used."""
    share = FRACTION.fullmatch(value)
    return Declared(observations=(_percent("throttle", 100 * float(share[1])),) if share else ())


def _percent(policy: str, used: float, reset: tuple[float, float] | None = None) -> Observation:
    return Observation(policy=policy, limit=100.0, remaining=max(0.0, 100.0 - used), reset=reset, unit="percent")


def _usages(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of every usage in one of Meta's documents: itself, or lists of them by business."""
    if not isinstance(document, dict):
        return
    if any(json_count(value) is not None for value in document.values()):
        yield "", document
    for listed in document.values():
        for usage in listed if isinstance(listed, list) else ():
            if isinstance(usage, dict):
                yield f"-{str(usage.get('type', ''))[:50]}", usage


def _meta(policy: str) -> Callable[[str, float, float], Declared]:
    """``X-App-Usage: {"call_count": 28, …}``: percent used of several things, and minutes until access is regained."""

    def read(value: str, sent: float, received: float) -> Declared:
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return NOTHING
        worst: dict[str, tuple[float, float]] = {}
        for name, usage in list(_usages(document))[:MOST]:
            minutes = json_count(usage.get("estimated_time_to_regain_access")) or 0.0
            percents = [
                json_count(part) for key, part in usage.items() if key.endswith(("_count", "_cputime", "_time", "_pct"))
            ]
            used = max((part for part in percents if part is not None), default=0.0)
            before = worst.get(name, (0.0, 0.0))
            worst[name] = max(before[0], 100.0 if minutes else used), max(before[1], min(minutes, 32 * 1440.0))
        return Declared(
            observations=tuple(
                _percent(
                    policy + name, used, (sent + 60 * (minutes - 1), received + 60 * minutes) if minutes >= 1 else None
                )
                for name, (used, minutes) in worst.items()
            )
        )

    return read


def _mediawiki(value: str, _sent: float, _received: float) -> Declared:
    """``MediaWiki-API-Error: maxlag``, often with status 200."""
    return Declared(violated=(value.strip(),) if value.strip() in {"maxlag", "ratelimited"} else ())


READERS: Final[dict[str, Callable[[str, float, float], Declared]]] = {
    "mediawiki-api-error": _mediawiki,
    "sforce-limit-info": _salesforce,
    "x-ad-account-usage": _meta("ad-account-usage"),
    "x-app-usage": _meta("app-usage"),
    "x-business-use-case-usage": _meta("business-use-case-usage"),
    "x-ms-ratelimit-remaining-resource": _azure,
    "x-ms-throttle-limit-percentage": _graph,
    "x-page-usage": _meta("page-usage"),
    "x-shopify-shop-api-call-limit": _shopify,
}
"""By name of the field, in lower case: (value, sent, received) to what it says."""
