"""Structured fields of rate limits: the lists and dictionaries of the IETF drafts, read leniently and in linear time.

The draft ``draft-ietf-httpapi-ratelimit-headers`` changed its syntax four times, and all four are deployed:

* A (up to 03): ``RateLimit-Limit: 10, 10;w=1, 50;w=60``: the limit that ends first, then the policies;
* B (04 to 06): ``RateLimit-Limit: 10`` and ``RateLimit-Policy: 10;w=1, 50;w=60``;
* C (07): ``RateLimit: limit=10, remaining=5, reset=1``, with B's policies;
* D (08 on): ``RateLimit: "burst";r=5;t=1`` and ``RateLimit-Policy: "burst";q=10;w=1, "daily";q=1000;w=86400``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

__all__ = ["Member", "Policy", "members", "number", "policies"]

LENGTH: Final = 4096
"""Characters: a longer field is ignored."""
MOST: Final = 32
"""Members: the rest of a longer list is ignored."""
NAME: Final = 100
"""Characters of a name."""
STRING = r'"(?:[^"\\]|\\.)*"'
BARE = rf"{STRING}|:[A-Za-z0-9+/=]*:|[^\s,;=\"]+"
MEMBER = re.compile(rf"\s*(?:(?P<key>[A-Za-z*][\w.*-]*)\s*=\s*)?(?P<value>{BARE})\s*")
PARAMETER = re.compile(rf";\s*(?P<key>[A-Za-z*][\w.*-]*)\s*(?:=\s*(?P<value>{BARE})\s*)?")
ESCAPE = re.compile(r"\\(.)")
NUMBER = re.compile(r"\s*(-?\d{1,18}(?:\.\d{1,18})?)\s*(?:[;,]|$)", re.ASCII)
UNITS: Final = {"bytes": "content-bytes"}
"""Draft 08 called it so."""


@attrs.frozen
class Member:
    """One member of a list or a dictionary (RFC 9651)."""

    key: str
    """Its key in a dictionary, in lower case; empty in a list."""
    value: str
    """Its bare value, a string without its quotes."""
    params: dict[str, str]
    """Its parameters, keys in lower case."""


@attrs.frozen(kw_only=True)
class Policy:
    """What a server promises, whatever is left of it."""

    name: str
    """As the server calls it, or by the length of its window."""
    limit: float | None
    """Units in one window, where it is known."""
    window: float | None
    """Seconds."""
    unit: str
    """What is counted."""


def number(text: str | None) -> float | None:
    """The number that a value begins with, before its parameters and the rest of its list; `None`: there is none."""
    match = NUMBER.match(text) if text else None
    return float(match[1]) if match else None


def _bare(text: str | None) -> str:
    if text is None:
        return "?1"  # a parameter without a value is true
    return ESCAPE.sub(r"\1", text[1:-1]) if text[0] == '"' else text


def members(text: str) -> list[Member]:
    """Every member of a list or dictionary; a malformed field has none (it must be ignored as a whole)."""
    found: list[Member] = []
    at = 0
    if len(text) > LENGTH:
        return found
    while at < len(text) and len(found) < MOST:
        member = MEMBER.match(text, at)
        if member is None:
            return []
        params: dict[str, str] = {}
        at = member.end()
        while param := PARAMETER.match(text, at):
            params[param["key"].lower()] = _bare(param["value"])
            at = param.end()
        found.append(Member((member["key"] or "").lower(), _bare(member["value"]), params))
        if at < len(text) and text[at] != ",":
            return []
        at += 1
    return found


def policies(text: str) -> tuple[Policy, ...]:
    """The policies of a list, named by shape D, or by their windows as in A and B.

    A number without a window is none: it is the limit that shape A puts first.
    """
    return _policies(text) if len(text) <= LENGTH else ()


@lru_cache(maxsize=256)  # they are the same in every answer
def _policies(text: str) -> tuple[Policy, ...]:
    found: dict[str, Policy] = {}
    for member in members(text):
        named = "q" in member.params
        limit = number(member.params["q"] if named else member.value)
        window = number(member.params.get("w"))
        window = window if window and window > 0 else None
        if limit is None or limit < 0 or member.key or not (named or window):
            continue
        name = member.value if named else member.params.get("name") or f"{window:g}s"
        unit = member.params.get("qu") or "requests"
        policy = Policy(name=name[:NAME], limit=limit, window=window, unit=UNITS.get(unit, unit)[:NAME])
        if name:
            found.setdefault(policy.name, policy)
    return tuple(found.values())
