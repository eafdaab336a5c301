"""Parse the names of header fields that state limits.

The names follow a grammar, whatever the vendor: a word for the family (``ratelimit``, ``quota``, …), a word for the
role (``limit``, ``remaining``, ``reset``, …) and optionally words for the window (``minute``, ``daily``) and the unit
(``tokens``). The remaining words name the policy: ``x-ratelimit-limit-requests``,
``anthropic-ratelimit-requests-limit``, ``x-rate-limit-api-key-max``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern
from crawler.limits.headers.reset_times import counts_milliseconds
from crawler.limits.headers.vendors import VENDOR_PARSERS

__all__ = ["DEFAULT_POLICY", "WINDOWS", "FieldName", "has_limits", "limit_fields", "parse_field_name", "parse_window"]

DEFAULT_POLICY: Final = "default"
"""Policy of fields whose names contain no policy name."""
MAX_NAME_LENGTH: Final = 100
"""Characters; fields with longer names are ignored and not cached."""
MAX_FIELDS: Final = 1000
"""Header fields of one response that are looked at. Apache httpd accepts 100, Node.js 2,000 by default."""
MAX_LIMIT_FIELDS: Final = 256
"""Fields of one response that state limits: four for each of the 64 observations that are kept."""

FAMILY = lazy_pattern(
    r"(?:^|-)(?P<family>rate-?limit(?:s|ed|ing)?|request-?limit|(?:api-)?call-limit|quota|throttle"
    r"|limit(?=-(?:\d+hour-|status|reset))|concurrency(?=-limit))(?=-|$)"
)
RETRY = lazy_pattern(r"retry-?(?:after|in(?=-|$))")
COMPOUND_WORDS = (
    (lazy_pattern(r"-rate-?limit(?=-|$)"), ""),  # the family again, as in x-ratelimit-reset-rate-limit-application_1
    (lazy_pattern(r"burst-capacity"), "limit"),
    (lazy_pattern(r"replenish-rate"), "fillrate"),
    (lazy_pattern(r"([a-z])(limit|remaining)(?=-|$)"), r"\1-\2"),  # client-limit, as in x-ratelimit-clientlimit
    (lazy_pattern(r"([a-z])(reset)"), r"\1-\2"),
    (lazy_pattern(r"\breset(?=time|at|in|after|date)"), "reset-"),
    (lazy_pattern(r"([a-z])(daily|hourly)(?=-|$)"), r"\1-\2"),
)
"""Patterns that split words written as one, with their replacements."""
ROLES: Final = {
    "limit": "limit", "max": "limit", "maximum": "limit", "total": "limit", "quota": "limit", "allowed": "limit",
    "remaining": "remaining", "left": "remaining", "available": "remaining", "status": "remaining",
    "used": "used", "use": "used", "observed": "used", "usage": "used", "consumed": "used", "count": "used",
    "reset": "reset", "resets": "reset", "replenishment": "reset", "expiry": "reset",
    "interval": "window", "window": "window", "period": "window",
    "fillrate": "fill",
    "policy": "policy",
    "name": "name", "resource": "name", "bucket": "name",
    "scope": "scope", "global": "scope",
    "reason": "reason",
}  # fmt: skip
TELLING: Final = {"remaining", "left", "available", "reset", "resets", "replenishment"}
"""Words for a role that a name without a family must have."""
RESPONSE_ROLES: Final = {"name", "scope"}
"""Roles that describe the whole response; together with another word they mean something else."""
IGNORED_WORDS: Final = {
    "after", "at", "current", "date", "epoch", "in", "milliseconds", "millis", "ms", "msec", "next", "on", "per",
    "seconds", "sec", "size", "this", "time", "timestamp", "utc", "x",
}  # fmt: skip
CONCURRENCY_WORDS: Final = {"concurrency", "concurrent"}
UNITS: Final = {
    "tokens": "tokens", "points": "points", "complexity": "points", "cost": "points", "bytes": "content-bytes",
}  # fmt: skip
WINDOWS: Final = {
    "second": 1.0, "secondly": 1.0, "min": 60.0, "minute": 60.0, "minutely": 60.0, "hour": 3600.0, "hourly": 3600.0,
    "day": 86400.0, "daily": 86400.0, "today": 86400.0, "month": None, "monthly": None, "year": None, "yearly": None,
}  # fmt: skip
"""Words for windows and their lengths in seconds. `None` means that the length varies."""
WINDOW_LENGTH = lazy_pattern(r"(\d{1,4})(s|sec|m|min|h|hr|hour|d|day)s?", re.ASCII)
SECONDS_PER_UNIT: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class FieldName(Struct, frozen=True, kw_only=True):
    """The meaning of a field's name."""

    name: str
    """The name in lower case."""
    role: str
    """The meaning of the value: ``limit``, ``remaining``, ``used``, ``reset``, ``window``, ``fill``, ``policy``,
    ``name``, ``scope``, ``reason``, ``retry``, ``concurrency``, ``vendor`` (`VENDOR_PARSERS` has a parser for it) or
    ``bare`` (the value itself shows the role)."""
    policy: str = DEFAULT_POLICY
    """Name of the policy."""
    family: str = ""
    """The family as spelled in the name. Empty means that there is none; a limit alone is then ignored."""
    window: float | None = None
    """Length of the window in seconds, if the name states it."""
    unit: str = "requests"
    """The unit that is counted."""
    milliseconds: bool = False
    """Whether numbers are milliseconds."""
    relative: bool = False
    """Whether the name says that the value is a time from now; such a field is preferred to one with a date."""
    number_is_limit: bool = False
    """Whether a plain number in a ``bare`` field is its limit: ``x-rate-limit: 700``,
    ``x-hubspot-ratelimit-daily: 250000``."""


@lru_cache(maxsize=4096)
def parse_field_name(name: str) -> FieldName | None:
    """Parse a field's name, in any spelling. Return `None` if it does not name a limit."""
    low = name.lower()
    if low in VENDOR_PARSERS:
        return FieldName(name=low, role="vendor")
    text = low.replace("_", "-")
    if RETRY.search(text):
        return FieldName(name=low, role="retry", milliseconds=counts_milliseconds(low))
    match = FAMILY.search(text)
    if match is not None:
        return _parse_with_family(low, text, match)
    words = text.removeprefix("x-").replace("token-count", "remaining").split("-")
    if words[-1] == "remaining":  # day-limit, as in x-daylimit-remaining
        words[:-1] = _split("-".join(words[:-1]))
    if words[-1] == "limit" and ROLES.get("".join(words[-2:-1])) in {"limit", "used"}:  # max-limit and use-limit
        return _parse_words(low, [], words[:-1], family="limit")
    if not TELLING.isdisjoint(words) or (len(words) == 2 and words[1] == "limit"):
        return _parse_words(low, [], words, family="")
    return None


def limit_fields(headers: Iterable[tuple[str, str]]) -> list[tuple[FieldName, str]]:
    """Return the fields whose names state limits, as pairs of parsed name and value; at most 256 of the first 1,000."""
    found: list[tuple[FieldName, str]] = []
    for name, value in islice(headers, MAX_FIELDS):
        field = parse_field_name(name) if len(name) <= MAX_NAME_LENGTH else None
        if field is not None:
            found.append((field, value))
    return found[:MAX_LIMIT_FIELDS]


@lru_cache(maxsize=256)  # most responses of a server have the same names
def has_limits(names: tuple[str, ...]) -> bool:
    """Return whether one of the first 1,000 names of a message states a limit."""
    return any(len(name) <= MAX_NAME_LENGTH and parse_field_name(name) for name in names[:MAX_FIELDS])


def _parse_with_family(low: str, text: str, match: re.Match[str]) -> FieldName | None:
    if match["family"] == "concurrency":
        return FieldName(name=low, role="concurrency")
    before = [word for word in text[: match.start()].split("-") if word not in {"x", ""}]
    after = _split(text[match.end() :])
    return _parse_words(low, before, after, family="x-" * text.startswith("x-") + match["family"])


def _parse_words(low: str, before: list[str], words: list[str], *, family: str) -> FieldName | None:
    """Parse the words before and after the family. The last word that names a role decides the role."""
    at = max((i for i, word in enumerate(words) if word in ROLES), default=len(words))
    role = ROLES[words[at]] if at < len(words) else "bare"
    rest = [word for i, word in enumerate(words) if i != at and word not in IGNORED_WORDS]
    if CONCURRENCY_WORDS & {*rest}:
        return FieldName(name=low, role="concurrency") if role == "limit" else None
    if role in RESPONSE_ROLES and (rest or before):
        return None
    windows = [parse_window(word) for word in rest]
    return FieldName(
        name=low,
        role=role,
        policy="-".join(before + rest) or DEFAULT_POLICY,
        family=family,
        window=next((seconds for is_window, seconds in windows if is_window), None),
        unit=next((UNITS[word] for word in rest if word in UNITS), "requests"),
        milliseconds=counts_milliseconds(low),
        relative=words[at + 1 : at + 2] in (["after"], ["in"]),
        number_is_limit=all(is_window for is_window, _ in windows),
    )


def parse_window(word: str) -> tuple[bool, float | None]:
    """Return whether a word names a window, and the window's length in seconds if it is known."""
    if word in WINDOWS:
        return True, WINDOWS[word]
    match = WINDOW_LENGTH.fullmatch(word)
    return (True, int(match[1]) * SECONDS_PER_UNIT[match[2][0]]) if match else (False, None)


def _split(text: str) -> list[str]:
    for pattern, replacement in COMPOUND_WORDS:
        text = pattern.sub(replacement, text)
    return [word for word in text.split("-") if word]
