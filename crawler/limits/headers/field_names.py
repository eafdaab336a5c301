"""`field_of`: what a header field says of limits, by its name alone.

Names of limits follow a grammar, whoever invents them: a word for the family (``ratelimit``, ``quota``, …), a word for
the role (``limit``, ``remaining``, ``reset``, …), perhaps a window (``minute``, ``daily``) and a unit (``tokens``), and
what is left names the policy: ``x-ratelimit-limit-requests``, ``anthropic-ratelimit-requests-limit``,
``x-rate-limit-api-key-max``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from crawler.limits.headers.reset_times import is_milli
from crawler.limits.headers.vendors import READERS

__all__ = ["DEFAULT", "Field", "field_of", "telling"]

DEFAULT: Final = "default"
"""The policy of fields that name none."""
LENGTH: Final = 100
"""Characters: a longer name says nothing, and is not kept."""

FAMILY = re.compile(
    r"(?:^|-)(?P<family>rate-?limit(?:s|ed|ing)?|request-?limit|(?:api-)?call-limit|quota|throttle"
    r"|limit(?=-\d+hour-)|concurrency(?=-limit))(?=-|$)"
)
RETRY = re.compile(r"retry-?after")
JOINED = (
    (re.compile(r"([a-z])(limit|remaining)(?=-|$)"), r"\1-\2"),  # client-limit, as in x-ratelimit-clientlimit
    (re.compile(r"([a-z])(reset)"), r"\1-\2"),
    (re.compile(r"\breset(?=time|at|in|after|date)"), "reset-"),
)
ROLES: Final = {
    "limit": "limit", "max": "limit", "maximum": "limit", "total": "limit",
    "remaining": "remaining", "left": "remaining", "available": "remaining",
    "used": "used", "observed": "used", "usage": "used", "consumed": "used",
    "reset": "reset", "resets": "reset",
    "interval": "window", "window": "window", "period": "window",
    "fillrate": "fill",
    "policy": "policy",
    "name": "name", "resource": "name", "bucket": "name",
    "scope": "scope", "global": "scope",
    "reason": "reason",
}  # fmt: skip
NAMING: Final = {"name", "scope"}
"""Roles of a whole answer: a word beside them makes them mean something else."""
NOISE: Final = {
    "after", "at", "date", "epoch", "in", "milliseconds", "millis", "ms", "msec", "on", "per", "seconds", "sec", "time",
    "timestamp", "utc", "x",
}  # fmt: skip
CONCURRENT: Final = {"concurrency", "concurrent"}
UNITS: Final = {
    "tokens": "tokens", "points": "points", "complexity": "points", "cost": "points", "bytes": "content-bytes",
}  # fmt: skip
WINDOWS: Final = {
    "second": 1.0, "secondly": 1.0, "minute": 60.0, "minutely": 60.0, "hour": 3600.0, "hourly": 3600.0,
    "day": 86400.0, "daily": 86400.0, "month": None, "monthly": None, "year": None, "yearly": None,
}  # fmt: skip
"""Seconds; months and years have no length of their own."""
SPAN = re.compile(r"(\d{1,4})(s|sec|m|min|h|hr|hour|d|day)s?", re.ASCII)
SPANS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@attrs.frozen(kw_only=True)
class Field:
    """What a field's name says."""

    name: str
    """The name, in lower case."""
    role: str
    """``limit``, ``remaining``, ``used``, ``reset``, ``window``, ``fill``, ``policy``, ``name``, ``scope``, ``reason``,
    ``retry``, ``concurrency``, ``vendor`` (a table knows it) or ``bare`` (its value tells)."""
    policy: str = DEFAULT
    """Names the policy."""
    family: str = ""
    """How the family is spelt; empty: there is none, and a limit alone means nothing."""
    window: float | None = None
    """Seconds of the window that it names."""
    unit: str = "requests"
    """What is counted."""
    milli: bool = False
    """Whether its numbers are milliseconds."""
    lasting: bool = False
    """Whether its name says that it is a time from now on: preferred to a date."""
    plain: bool = False
    """Whether a bare field may be a number, its limit: ``x-rate-limit: 700``, ``x-hubspot-ratelimit-daily: 250000``."""


def _window(word: str) -> tuple[bool, float | None]:
    """Whether a word is a window, and of how many seconds."""
    if word in WINDOWS:
        return True, WINDOWS[word]
    span = SPAN.fullmatch(word)
    return (True, int(span[1]) * SPANS[span[2][0]]) if span else (False, None)


def _words(text: str) -> list[str]:
    for pattern, spaced in JOINED:
        text = pattern.sub(spaced, text)
    return [word for word in text.split("-") if word]


@lru_cache(maxsize=4096)
def field_of(name: str) -> Field | None:
    """What a field says of limits by its name, in any spelling; `None`: nothing."""
    low = name.lower()
    if low in READERS:
        return Field(name=low, role="vendor")
    text = low.replace("_", "-")
    if RETRY.search(text):
        return Field(name=low, role="retry", milli=is_milli(low))
    match = FAMILY.search(text)
    if match is not None:
        return _of_family(low, text, match)
    words = text.removeprefix("x-").split("-")
    if any(ROLES.get(word) in {"remaining", "reset"} for word in words) or (len(words) == 2 and words[1] == "limit"):
        return _grammar(low, [], words, family="")
    return None


def telling(headers: Iterable[tuple[str, str]]) -> list[tuple[Field, str]]:
    """The fields among (name, value) pairs that say something of limits, by their names, and their values."""
    return [(field, value) for name, value in headers if len(name) <= LENGTH and (field := field_of(name)) is not None]


def _of_family(low: str, text: str, match: re.Match[str]) -> Field | None:
    if match["family"] == "concurrency":
        return Field(name=low, role="concurrency")
    before = [word for word in text[: match.start()].split("-") if word not in {"x", ""}]
    return _grammar(low, before, _words(text[match.end() :]), family="x-" * text.startswith("x-") + match["family"])


def _grammar(low: str, before: list[str], words: list[str], *, family: str) -> Field | None:
    """The field of what stands before its family's name and after it: the last word that names a role counts."""
    at = max((i for i, word in enumerate(words) if word in ROLES), default=len(words))
    role = ROLES[words[at]] if at < len(words) else "bare"
    rest = [word for i, word in enumerate(words) if i != at and word not in NOISE]
    if CONCURRENT & {*rest}:
        return Field(name=low, role="concurrency") if role == "limit" else None
    if role in NAMING and (rest or before):
        return None
    spans = [_window(word) for word in rest]
    return Field(
        name=low,
        role=role,
        policy="-".join(before + rest) or DEFAULT,
        family=family,
        window=next((seconds for known, seconds in spans if known), None),
        unit=next((UNITS[word] for word in rest if word in UNITS), "requests"),
        milli=is_milli(low),
        lasting=words[at + 1 : at + 2] in (["after"], ["in"]),
        plain=all(known for known, _ in spans),
    )
