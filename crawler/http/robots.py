"""robots.txt by RFC 9309: what an answer to ``/robots.txt`` means for its origin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Self

import attrs

from crawler.errors import BadStatus, Refused, RequestError
from crawler.headers import product_token
from crawler.http.robots_rules import PathRules
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
"""Bytes that are read (RFC 9309 section 2.5 asks for 500 KiB at least)."""
MAX_CRAWL_DELAY: Final = 86_400.0
"""Seconds: a file that asks for more distance than it may be kept for is taken to ask for this."""
ROBOTS_MAX_AGE: Final = 86_400.0
"""Seconds that an answer counts (RFC 9309 section 2.4); longer only while there is no other to be had."""
MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which may have lost its end."""
UTF_16: Final = re.compile(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]")
"""That of UTF-16, and a character of ASCII."""
KINDS: Final = {
    "user-agent": "agent", "useragent": "agent", "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow", "dissallow": "disallow", "dissalow": "disallow", "disalow": "disallow",
    "diasllow": "disallow", "disallaw": "disallow",
    "crawl-delay": "delay", "crawldelay": "delay", "crawl delay": "delay",
    "request-rate": "rate",
    "sitemap": "sitemap", "site-map": "sitemap",
}  # fmt: skip
"""Lines with a meaning; the misspellings are those that search engines take too."""
MAY_LACK_COLON: Final = ("agent", "allow", "disallow")
NUMBER: Final = r"(\d+(?:\.\d*)?|\.\d+)"
DELAY: Final = re.compile(NUMBER + r"\s*s?\Z", re.IGNORECASE | re.ASCII)
RATE: Final = re.compile(rf"{NUMBER}\s*/\s*{NUMBER}\s*([smhd]?)(?![^\s])", re.IGNORECASE | re.ASCII)
"""Requests, seconds and their unit; what times of the day follow is not read: it counts all day."""
UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@attrs.frozen(eq=False)
class Robots:
    """The rules of one origin for one user agent."""

    rules: PathRules | None
    """Those of our group; `None`: the same answer for every URL."""
    delay: float | None = None
    """Seconds between two starts, 86,400 at most."""
    default: bool = True
    """The answer where there are no rules."""
    sitemaps: tuple[str, ...] = ()
    """The sitemaps that it names, for whatever agent: absolute web URLs, each once."""
    error: RequestError | None = None
    """Why it could not be had."""

    @classmethod
    def parse(cls, body: bytes, user_agent: str, url: str = "") -> Self:
        """The rules of a file that was answered with 2xx.

        Parameters:
            body: its content; what lies behind 512 KiB is ignored, and so is a line that is cut off there.
            user_agent: the whole ``User-Agent`` field.
            url: where it stands: relative URLs of sitemaps are joined with it.
        """
        ours, others, sitemaps = _read(_records(body), product_token(user_agent).lower())
        group = ours if ours.named else others
        delay = min(max(group.delays), MAX_CRAWL_DELAY) if group.delays else None
        return cls(PathRules(group.rules) if group.rules else None, delay, sitemaps=_absolute(sitemaps, url))

    @classmethod
    def from_response(cls, status: int, body: bytes, user_agent: str, url: str = "") -> Robots | None:
        """What an answer means (RFC 9309 section 2.3.1): 2xx its rules, 4xx but 429 everything is allowed.

        A redirect that leads nowhere is no file either. `None`: nothing is known yet and it has to be asked again; if
        it stays so, everything is disallowed. Parameters as of `parse`.
        """
        if 200 <= status < 300:
            return cls.parse(body, user_agent, url)
        return ALLOW_ALL if 300 <= status < 500 and status != 429 else None

    def allows(self, url: str) -> bool:
        """Whether `url`, absolute, may be fetched."""
        return self.default if self.rules is None else self.rules.allows(url)

    def refusal(self, request: Request) -> RequestError:
        """Why a request is not made that is not allowed: where the origin cannot be reached, that is the error."""
        error = self.error
        if isinstance(error, Refused):  # its network may not be reached
            return Refused(str(error), by=error.by, request=request)
        if error is not None and not isinstance(error, BadStatus):
            return error
        why = "forbids it" if error is None else f"cannot be had ({error})"
        return Refused(f"{request.url} was not asked for: its robots.txt {why}", by="robots", request=request)


@attrs.frozen(kw_only=True)
class Explanation:
    """Which lines of a robots.txt decide about one URL."""

    agent: str
    """Whose group counts: our token, ``*``, or nothing where neither has one."""
    rule: str | None
    """The line that decides, such as ``Disallow: /private/``; `None`: none does, so it is allowed."""


def explain(body: bytes, user_agent: str, url: str) -> Explanation:
    """What decides about a URL, for people; `Robots.allows` is how.

    Parameters:
        body: content of the file.
        user_agent: the whole ``User-Agent`` field.
        url: absolute.
    """
    token = product_token(user_agent)
    ours, others, _ = _read(_records(body), token.lower())
    group = ours if ours.named else others
    best = PathRules(group.rules).verdict(url)
    one = (rule for rule in group.rules if best[0] and PathRules([rule]).verdict(url) == best)
    found = next(one, None)
    line = None if found is None else f"{'Allow' if found[0] else 'Disallow'}: {found[1]}"
    return Explanation(agent=token if ours.named else "*" if others.named else "", rule=line)


ALLOW_ALL: Final = Robots(None, default=True)
DISALLOW_ALL: Final = Robots(None, default=False)


@attrs.define
class _Group:
    """All groups of one agent, as one (RFC 9309 section 2.2.1)."""

    named: bool = False
    rules: list[tuple[bool, str]] = attrs.field(factory=list)
    delays: list[float] = attrs.field(factory=list)


def _records(body: bytes) -> Iterator[tuple[str, str]]:
    """The lines that have a meaning: kind and value, one character an octet."""
    if UTF_16.match(body):  # that is no UTF-8, but what its author wants is plain
        body = body.decode("utf-16", "replace").encode()
    if len(body) > MAX_ROBOTS_SIZE:  # a rule that is cut off is another rule
        body = body[: max(body.rfind(b"\n", 0, MAX_ROBOTS_SIZE), body.rfind(b"\r", 0, MAX_ROBOTS_SIZE)) + 1]
    mark = next(length for length in (3, 2, 1, 0) if body.startswith(MARK[:length]))
    for line in re.split(r"[\r\n]+", body[mark:].decode("latin-1")):
        line = line.partition("#")[0].strip(" \t")
        name, colon, value = line.partition(":")
        if not colon:  # many are written without
            name, _, value = line.replace("\t", " ").partition(" ")
        kind = KINDS.get(name.rstrip(" \t").lower())
        value = value.strip(" \t")
        if kind is not None and (colon or (kind in MAY_LACK_COLON and value and " " not in value)):
            yield kind, value


def _read(records: Iterable[tuple[str, str]], token: str) -> tuple[_Group, _Group, list[str]]:
    """Our group, that of all agents, and the sitemaps.

    A rule ends a list of agents. A delay, which RFC 9309 does not know, does not: it only tells that what follows it
    is no delay of the agents before it.
    """
    ours, others, sitemaps = _Group(), _Group(), []
    ruled: list[_Group] = []
    delayed: list[_Group] = []
    rules_ended = delays_ended = False
    for kind, value in records:
        if kind == "sitemap":
            sitemaps.append(value)
        elif kind == "agent":
            ruled = [] if rules_ended else ruled
            delayed = [] if delays_ended else delayed
            rules_ended = delays_ended = False
            agents = {product_token(name.strip(" \t")).lower() for name in value.split(",")} - {""}  # some write a list
            for name, group in ((token, ours), ("*", others)):
                if name in agents:
                    group.named = True
                    ruled = [*ruled, group]
                    delayed = [*delayed, group]
        elif kind in ("delay", "rate"):
            delays_ended = True
            seconds = _delay(value) if kind == "delay" else _distance(value)
            if seconds is not None:
                for group in delayed:
                    group.delays.append(seconds)
        else:
            rules_ended = delays_ended = True
            for group in ruled:
                group.rules.append((kind == "allow", value))
    return ours, others, sitemaps


def _delay(value: str) -> float | None:
    """Seconds of a ``Crawl-delay``; `None`: it is no number, or no positive one."""
    found = DELAY.match(value)
    return float(found[1]) if found else None


def _distance(value: str) -> float | None:
    """Seconds between two requests of a ``Request-rate``, such as ``30/1m``; `None`: it is no rate."""
    found = RATE.match(value)
    requests = float(found[1]) if found else 0.0
    seconds = float(found[2]) * UNITS[found[3].lower()] if found else 0.0
    distance = seconds / requests if requests else 0.0
    return distance if distance > 0 else None


def _absolute(sitemaps: Iterable[str], url: str) -> tuple[str, ...]:
    """Sitemaps as absolute web URLs: joined with where the file stands; what is none is left out."""
    found: dict[str, None] = {}
    for octets in sitemaps:
        text = octets.encode("latin-1").decode("utf-8", "replace")
        with suppress(ValueError):
            target = join(url, text) if url else normalize(text)
            if text and target is not None:
                found[target] = None
    return tuple(found)
