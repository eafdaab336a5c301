"""Parse the structured fields (RFC 9651) of the IETF rate limit drafts, leniently and in linear time.

``draft-ietf-httpapi-ratelimit-headers`` changed its syntax four times, and all four forms are deployed:

* A (up to version 03): ``RateLimit-Limit: 10, 10;w=1, 50;w=60``: the limit that is reached first, then the policies;
* B (04 to 06): ``RateLimit-Limit: 10`` and ``RateLimit-Policy: 10;w=1, 50;w=60``;
* C (07): ``RateLimit: limit=10, remaining=5, reset=1``, with the policies of B;
* D (from 08): ``RateLimit: "burst";r=5;t=1`` and ``RateLimit-Policy: "burst";q=10;w=1, "daily";q=1000;w=86400``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

__all__ = ["Member", "Policy", "leading_number", "parse_members", "parse_policies"]

MAX_VALUE_LENGTH: Final = 4096
"""Characters; longer values are ignored."""
MAX_MEMBERS: Final = 32
"""Members of one list; the rest is ignored."""
MAX_NAME_LENGTH: Final = 100
"""Characters; longer names are cut."""
STRING = r'"(?:[^"\\]|\\.)*"'
BARE_ITEM = rf"{STRING}|:[A-Za-z0-9+/=]*:|[^\s,;=\"]+"
MEMBER = re.compile(rf"\s*(?:(?P<key>[A-Za-z*][\w.*-]*)\s*=\s*)?(?P<value>{BARE_ITEM})\s*")
PARAMETER = re.compile(rf";\s*(?P<key>[A-Za-z*][\w.*-]*)\s*(?:=\s*(?P<value>{BARE_ITEM})\s*)?")
ESCAPE = re.compile(r"\\(.)")
NUMBER = re.compile(r"\s*(-?\d{1,18}(?:\.\d{1,18})?)\s*(?:[;,]|$)", re.ASCII)
UNIT_ALIASES: Final = {"bytes": "content-bytes"}
"""Units that draft version 08 named differently."""


@attrs.frozen
class Member:
    """One member of a list or a dictionary."""

    key: str
    """The key in a dictionary, in lower case. Empty in a list."""
    value: str
    """The bare value, a string without its quotes."""
    params: dict[str, str]
    """The parameters, with keys in lower case."""


@attrs.frozen(kw_only=True)
class Policy:
    """A declared quota policy, independent of how much of it is left."""

    name: str
    """Its name, or its window's length (``60s``) if it has none."""
    limit: float | None
    """Units per window. `None` means unknown."""
    window: float | None
    """Length of the window in seconds. `None` means unknown."""
    unit: str
    """The unit that is counted."""


def leading_number(text: str | None) -> float | None:
    """Return the number at the start of a value, before its parameters and further members, or `None`."""
    match = NUMBER.match(text) if text else None
    return float(match[1]) if match else None


def parse_members(text: str) -> list[Member]:
    """Parse a list or dictionary. A malformed value has no members: RFC 9651 says to ignore it as a whole."""
    found: list[Member] = []
    at = 0
    if len(text) > MAX_VALUE_LENGTH:
        return found
    while at < len(text) and len(found) < MAX_MEMBERS:
        member = MEMBER.match(text, at)
        if member is None:
            return []
        params: dict[str, str] = {}
        at = member.end()
        while param := PARAMETER.match(text, at):
            params[param["key"].lower()] = _unquote(param["value"])
            at = param.end()
        found.append(Member((member["key"] or "").lower(), _unquote(member["value"]), params))
        if at < len(text) and text[at] != ",":
            return []
        at += 1
    return found


@lru_cache(maxsize=256)  # a server repeats them in every response
def parse_policies(text: str) -> tuple[Policy, ...]:
    """Parse the policies of a list. Form D names them; in forms A and B the window's length serves as the name.

    A number without a window is skipped: it is the limit that form A puts first.
    """
    found: dict[str, Policy] = {}
    for member in parse_members(text):
        named = "q" in member.params
        limit = leading_number(member.params["q"] if named else member.value)
        window = leading_number(member.params.get("w"))
        window = window if window and window > 0 else None
        if limit is None or limit < 0 or member.key or not (named or window):
            continue
        name = member.value if named else member.params.get("name") or f"{window:g}s"
        unit = member.params.get("qu") or "requests"
        unit = UNIT_ALIASES.get(unit, unit)[:MAX_NAME_LENGTH]
        policy = Policy(name=name[:MAX_NAME_LENGTH], limit=limit, window=window, unit=unit)
        if name:
            found.setdefault(policy.name, policy)
    return tuple(found.values())


def _unquote(text: str | None) -> str:
    if text is None:
        return "?1"  # a parameter without a value is true
    return ESCAPE.sub(r"\1", text[1:-1]) if text[0] == '"' else text
