"""Parsers for vendor fields whose values have a grammar of their own, by field name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from crawler.lazy_pattern import lazy_pattern
from crawler.limits.headers.declared import NOTHING, Declared, Observation, TimeRange
from crawler.limits.headers.reset_times import DAY
from crawler.limits.json_numbers import json_count

__all__ = ["VENDOR_PARSERS"]

MAX_POLICIES: Final = 32
"""Policies in one value; the rest is ignored."""
_NUMBER: Final = r"(\d{1,15}(?:\.\d{1,12})?)"
NUMBER = lazy_pattern(rf"\s*{_NUMBER}\s*", re.ASCII)
_NAME: Final = r"((?<![\w-])[A-Za-z][\w-]{0,99})?"
RATIO = lazy_pattern(rf"{_NAME}=?\s{{0,9}}{_NUMBER}\s{{0,9}}/\s{{0,9}}{_NUMBER}(?!\d)", re.ASCII)
RESOURCE = lazy_pattern(r"([^\s,;][^,;]{0,99});(\d{1,15})(?!\d)", re.ASCII)
SHOPIFY_SECONDS_TO_EMPTY: Final = 20.0
"""Shopify's buckets of 40, 80 and 400 leak 2, 4 and 20 per second."""
MAX_MINUTES: Final = 32 * 1440.0
"""Minutes; longer waits are cut to this."""

VendorParser = Callable[[str, float, float], Declared]
"""(value, sent, received) to what the field declares; the times are in seconds since the epoch."""


def _bucket(policy: str, seconds_to_empty: float = 0.0) -> VendorParser:
    """Return a parser for ``X-Shopify-Shop-Api-Call-Limit: 32/40``: level and size of a leaky bucket."""

    def parse(value: str, _sent: float, _received: float) -> Declared:
        if (match := RATIO.fullmatch(value.strip())) is None or not float(match[3]):
            return NOTHING
        used, size = float(match[2]), float(match[3])
        rate = size / seconds_to_empty if seconds_to_empty else None
        observation = Observation(policy=policy, limit=size, remaining=max(0.0, size - used), rate=rate)
        return Declared(observations=(observation,))

    return parse


def _rate(policy: str) -> VendorParser:
    """Return a parser for ``x-amzn-RateLimit-Limit: 0.5``: units that return per second."""

    def parse(value: str, _sent: float, _received: float) -> Declared:
        match = NUMBER.fullmatch(value)
        rate = float(match[1]) if match else 0.0
        return Declared(observations=(Observation(policy=policy, rate=rate),)) if rate else NOTHING

    return parse


def _salesforce(value: str, _sent: float, _received: float) -> Declared:
    """Parse ``Sforce-Limit-Info: api-usage=18/15000``: requests used and allowed per day."""
    found = {name: (float(used), float(size)) for name, used, size in RATIO.findall(value)[:MAX_POLICIES] if name}
    return Declared(
        observations=tuple(
            Observation(policy=name, limit=size, remaining=max(0.0, size - used), window=DAY)
            for name, (used, size) in found.items()
            if size
        )
    )


def _azure(value: str, _sent: float, _received: float) -> Declared:
    """Parse ``x-ms-ratelimit-remaining-resource: Microsoft.Compute/HighCostGet3Min;159,…``: remainder by policy."""
    found = {name.strip(): float(remaining) for name, remaining in RESOURCE.findall(value)[:MAX_POLICIES]}
    return Declared(observations=tuple(Observation(policy=name, remaining=left) for name, left in found.items()))


def _microsoft_graph(value: str, _sent: float, _received: float) -> Declared:
    """Parse ``x-ms-throttle-limit-percentage: 0.8``: the fraction in use."""
    fraction = NUMBER.fullmatch(value)
    return Declared(observations=(_percentage("throttle", 100 * float(fraction[1])),) if fraction else ())


def _percentage(policy: str, used: float, reset: TimeRange | None = None) -> Observation:
    return Observation(policy=policy, limit=100.0, remaining=max(0.0, 100.0 - used), reset=reset, unit="percent")


def _meta_usages(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield policy suffix and content of every usage in a document of Meta: itself, or lists of them by business."""
    if not isinstance(document, dict):
        return
    if any(json_count(value) is not None for value in document.values()):
        yield "", document
    for listed in document.values():
        for usage in listed if isinstance(listed, list) else ():
            if isinstance(usage, dict):
                yield f"-{str(usage.get('type', ''))[:50]}", usage


def _meta(policy: str) -> VendorParser:
    """Return a parser for ``X-App-Usage: {"call_count": 28, …}``: percentages used, minutes until access returns."""

    def parse(value: str, sent: float, received: float) -> Declared:
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return NOTHING
        worst: dict[str, tuple[float, float]] = {}
        for suffix, usage in list(_meta_usages(document))[:MAX_POLICIES]:
            minutes = json_count(usage.get("estimated_time_to_regain_access")) or 0.0
            percentages = [
                json_count(part) for key, part in usage.items() if key.endswith(("_count", "_cputime", "_time", "_pct"))
            ]
            used = max((part for part in percentages if part is not None), default=0.0)
            before = worst.get(suffix, (0.0, 0.0))
            worst[suffix] = max(before[0], 100.0 if minutes else used), max(before[1], min(minutes, MAX_MINUTES))
        return Declared(
            observations=tuple(
                _percentage(
                    policy + suffix,
                    used,
                    (sent + 60 * (minutes - 1), received + 60 * minutes) if minutes >= 1 else None,
                )
                for suffix, (used, minutes) in worst.items()
            )
        )

    return parse


def _mediawiki(value: str, _sent: float, _received: float) -> Declared:
    """Parse ``MediaWiki-API-Error: maxlag``, which often comes with status 200."""
    return Declared(violated=(value.strip(),) if value.strip() in {"maxlag", "ratelimited"} else ())


def _amazon(value: str, _sent: float, _received: float) -> Declared:
    """Parse ``x-amzn-ErrorType: ThrottlingException:http://…``."""
    from crawler.limits.headers.refusal_words import REFUSAL_CODES  # noqa: PLC0415 - few servers send the field

    code = value.partition(":")[0].strip()
    return Declared(violated=(code,) if code in REFUSAL_CODES else ())


VENDOR_PARSERS: Final[dict[str, VendorParser]] = {
    "mediawiki-api-error": _mediawiki,
    "sforce-limit-info": _salesforce,
    "x-ad-account-usage": _meta("ad-account-usage"),
    "x-amzn-errortype": _amazon,
    "x-amzn-ratelimit-limit": _rate("rate"),
    "x-app-usage": _meta("app-usage"),
    "x-business-use-case-usage": _meta("business-use-case-usage"),
    "x-ls-api-bucket-level": _bucket("bucket"),
    "x-ls-api-drip-rate": _rate("bucket"),
    "x-ms-ratelimit-remaining-resource": _azure,
    "x-ms-throttle-limit-percentage": _microsoft_graph,
    "x-page-usage": _meta("page-usage"),
    "x-shopify-shop-api-call-limit": _bucket("shop-api-call", SHOPIFY_SECONDS_TO_EMPTY),
}
"""Parser by field name in lower case."""
