"""`Robots`: the rules of one origin, from the response to ``/robots.txt`` (RFC 9309)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Self

from msgspec import Struct

from crawler.errors import BadStatus, Refused, RequestError
from crawler.headers import product_token
from crawler.http.robots_rules import PathRules
from crawler.lazy_pattern import lazy_pattern
from crawler.messages import Request
from crawler.urls import join, normalize

__all__ = [
    "ALLOW_ALL",
    "DISALLOW_ALL",
    "MAX_CRAWL_DELAY",
    "MAX_ROBOTS_SIZE",
    "ROBOTS_MAX_AGE",
    "Explanation",
    "Robots",
    "explain",
]

MAX_ROBOTS_SIZE: Final = 512 * 1024
"""Maximum number of bytes of a file that are read (RFC 9309 section 2.5 requires at least 500 KiB)."""
MAX_CRAWL_DELAY: Final = 86_400.0
"""Seconds; a longer ``Crawl-delay`` counts as this one, since the file itself is valid for no longer."""
ROBOTS_MAX_AGE: Final = 86_400.0
"""Seconds for which a file is valid (RFC 9309 section 2.4); longer only while no newer one is available."""
UTF8_BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8; in some files its end is missing."""
UTF16_START: Final = lazy_pattern(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]")
"""The byte order mark of UTF-16, and an ASCII character."""
LINE_KINDS: Final = {
    "user-agent": "agent", "useragent": "agent", "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow", "dissallow": "disallow", "dissalow": "disallow", "disalow": "disallow",
    "diasllow": "disallow", "disallaw": "disallow",
    "crawl-delay": "delay", "crawldelay": "delay", "crawl delay": "delay",
    "request-rate": "rate",
    "sitemap": "sitemap", "site-map": "sitemap",
}  # fmt: skip
"""Names of lines that have a meaning; search engines accept the same misspellings."""
MAY_LACK_COLON: Final = ("agent", "allow", "disallow")
NUMBER: Final = r"(\d+(?:\.\d*)?|\.\d+)"
DELAY: Final = lazy_pattern(NUMBER + r"\s*s?\Z", re.IGNORECASE | re.ASCII)
RATE: Final = lazy_pattern(rf"{NUMBER}\s*/\s*{NUMBER}\s*([smhd]?)(?![^\s])", re.IGNORECASE | re.ASCII)
"""Requests, seconds and their unit. A time of day may follow; it is ignored, and the rate counts all day."""
UNIT_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Robots(Struct, frozen=True, eq=False):
    """The rules of one origin for one user agent."""

    rules: PathRules | None
    """The rules of the group that applies; `None` means that `default` decides about every URL."""
    delay: float | None = None
    """Seconds between the starts of two requests, at most 86,400; `None` if the file names none."""
    default: bool = True
    """Whether every URL is allowed if there are no rules."""
    sitemaps: tuple[str, ...] = ()
    """The sitemaps that the file names, for all user agents: absolute web URLs, each once."""
    error: RequestError | None = None
    """Why the file could not be fetched, if so."""

    @classmethod
    def parse(cls, body: bytes, user_agent: str, url: str = "") -> Self:
        """Return the rules in a file."""
        ours, others, sitemaps = _collect(_parse_lines(body), product_token(user_agent).lower())
        group = ours if ours.named else others
        delay = min(max(group.delays), MAX_CRAWL_DELAY) if group.delays else None
        return cls(PathRules(group.rules) if group.rules else None, delay, sitemaps=_absolute(sitemaps, url))

    @classmethod
    def from_response(cls, status: int, body: bytes, user_agent: str, url: str = "") -> Robots | None:
        """Return the rules that a response stands for (RFC 9309 section 2.3.1); the parameters are those of `parse`.

        2xx has a file. With 4xx except 429, and with a redirect that leads nowhere, there is none, so everything is
        allowed. `None` means that the file must be requested again; until that succeeds everything is disallowed.
        """
        if 200 <= status < 300:
            return cls.parse(body, user_agent, url)
        return ALLOW_ALL if 300 <= status < 500 and status != 429 else None

    def allows(self, url: str) -> bool:
        """Return whether an absolute URL may be fetched."""
        return self.default if self.rules is None else self.rules.allows(url)

    def refusal(self, request: Request) -> RequestError:
        """Return the error for a request that is not allowed: the failure itself if the origin cannot be reached."""
        error = self.error
        if isinstance(error, Refused):  # the address guard refused the origin
            return Refused(str(error), by=error.by, request=request)
        if error is not None and not isinstance(error, BadStatus):
            return error
        why = "forbids it" if error is None else f"is not available ({error})"
        refused = Refused(f"{request.url} was not requested: its robots.txt {why}", by="robots", request=request)
        refused.__cause__ = error
        return refused


class Explanation(Struct, frozen=True, kw_only=True):
    """The lines of a robots.txt that decide about one URL."""

    agent: str
    """The user agent of the group that applies: our product token, ``*``, or empty if there is no such group."""
    rule: str | None
    """The line that decides, such as ``Disallow: /private/``; `None` if no line matches, so the URL is allowed."""


def explain(body: bytes, user_agent: str, url: str) -> Explanation:
    """Return which line decides about a URL, for display; `Robots.allows` returns the decision."""
    token = product_token(user_agent)
    ours, others, _ = _collect(_parse_lines(body), token.lower())
    group = ours if ours.named else others
    best = PathRules(group.rules).verdict(url)
    deciding = (rule for rule in group.rules if best[0] and PathRules([rule]).verdict(url) == best)
    found = next(deciding, None)
    line = None if found is None else f"{'Allow' if found[0] else 'Disallow'}: {found[1]}"
    return Explanation(agent=token if ours.named else "*" if others.named else "", rule=line)


ALLOW_ALL: Final = Robots(None, default=True)
DISALLOW_ALL: Final = Robots(None, default=False)


class _Group(Struct, eq=False):
    """All groups of one user agent, combined (RFC 9309 section 2.2.1)."""

    named: bool = False
    rules: list[tuple[bool, str]] = []
    delays: list[float] = []


def _parse_lines(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the kind and value of each line that has a meaning, one character per octet."""
    if UTF16_START.match(body):  # not UTF-8, but the author's intent is plain
        body = body.decode("utf-16", "replace").encode()
    if len(body) > MAX_ROBOTS_SIZE:  # a truncated rule would be another rule
        body = body[: max(body.rfind(b"\n", 0, MAX_ROBOTS_SIZE), body.rfind(b"\r", 0, MAX_ROBOTS_SIZE)) + 1]
    bom = next(length for length in (3, 2, 1, 0) if body.startswith(UTF8_BOM[:length]))
    for line in re.split(r"[\r\n]+", body[bom:].decode("latin-1")):
        line = line.partition("#")[0].strip(" \t")
        name, colon, value = line.partition(":")
        if not colon:  # many files lack it
            name, _, value = line.replace("\t", " ").partition(" ")
        kind = LINE_KINDS.get(name.rstrip(" \t").lower())
        value = value.strip(" \t")
        if kind is not None and (colon or (kind in MAY_LACK_COLON and value and " " not in value)):
            yield kind, value


def _collect(lines: Iterable[tuple[str, str]], token: str) -> tuple[_Group, _Group, list[str]]:
    """Return the group of our product token, that of ``*``, and the sitemaps.

    A rule ends a list of user agents. A delay, which RFC 9309 does not define, does not end it for rules; it only keeps
    later delays from applying to these user agents.
    """
    ours, others, sitemaps = _Group(), _Group(), []
    ruled: list[_Group] = []
    delayed: list[_Group] = []
    rules_ended = delays_ended = False
    for kind, value in lines:
        if kind == "sitemap":
            sitemaps.append(value)
        elif kind == "agent":
            ruled = [] if rules_ended else ruled
            delayed = [] if delays_ended else delayed
            rules_ended = delays_ended = False
            agents = {product_token(name.strip(" \t")).lower() for name in value.split(",")} - {
                ""
            }  # some files have lists
            for name, group in ((token, ours), ("*", others)):
                if name in agents:
                    group.named = True
                    ruled = [*(other for other in ruled if other is not group), group]
                    delayed = [*(other for other in delayed if other is not group), group]
        elif kind in ("delay", "rate"):
            delays_ended = True
            seconds = _parse_delay(value) if kind == "delay" else _parse_rate(value)
            if seconds is not None:
                for group in delayed:
                    group.delays.append(seconds)
        else:
            rules_ended = delays_ended = True
            for group in ruled:
                group.rules.append((kind == "allow", value))
    return ours, others, sitemaps


def _parse_delay(value: str) -> float | None:
    """Return the seconds of a ``Crawl-delay``; `None` if it is not a number."""
    found = DELAY.match(value)
    return float(found[1]) if found else None


def _parse_rate(value: str) -> float | None:
    """Return the seconds between two requests of a ``Request-rate`` such as ``30/1m``; `None` if it is not a rate."""
    found = RATE.match(value)
    requests = float(found[1]) if found else 0.0
    seconds = float(found[2]) * UNIT_SECONDS[found[3].lower()] if found else 0.0
    interval = seconds / requests if requests else 0.0
    return interval if interval > 0 else None


def _absolute(sitemaps: Iterable[str], url: str) -> tuple[str, ...]:
    """Return the URLs of sitemaps, joined with that of the file, without those that are not web URLs."""
    found: dict[str, None] = {}
    for octets in sitemaps:
        text = octets.encode("latin-1").decode("utf-8", "replace")
        with suppress(ValueError):
            target = join(url, text) if url else normalize(text)
            if text and target is not None:
                found[target] = None
    return tuple(found)
