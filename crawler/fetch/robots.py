"""robots.txt by RFC 9309: what an answer to ``/robots.txt`` means for its origin."""

from __future__ import annotations

import re
from typing import Final

import attrs
from protego import Protego

from crawler.errors import RequestError

__all__ = ["ALLOW_ALL", "DISALLOW_ALL", "Robots", "token_of"]

LIMIT: Final = 512 * 1024
"""Bytes that are read (RFC 9309 section 2.5 asks for 500 KiB at least)."""
KNOWN: Final = re.compile(r"\s*(user-?agent|allow|disallow|crawl-delay|request-rate|sitemap)\s*:(.*)", re.IGNORECASE)
TOKEN: Final = re.compile(r"[A-Za-z_-]+")


def token_of(user_agent: str) -> str:
    """The product token of a ``User-Agent``: what stands before its first space or slash (RFC 9309 section 2.2.1)."""
    return re.split(r"[\s/]", user_agent.strip(), maxsplit=1)[0]


@attrs.frozen(eq=False)
class Robots:
    """The rules of one origin for one user agent."""

    rules: Protego | None
    """The parsed file; `None`: the same answer for every URL."""
    token: str = ""
    """The user agent's token."""
    delay: float | None = None
    """Seconds between two starts."""
    default: bool = True
    """The answer where there are no rules."""
    failure: RequestError | None = None
    """Why nothing of the origin can be had: then that is what its requests fail with."""

    @classmethod
    def parse(cls, body: bytes, user_agent: str) -> Robots:
        """The rules of a file that was answered with 2xx.

        Parameters:
            body: its content; what lies behind 512 KiB is ignored.
            user_agent: the whole ``User-Agent`` field.
        """
        token = token_of(user_agent)
        rules = Protego.parse(_clean(body[:LIMIT].decode("utf-8-sig", "replace")))
        delay = rules.crawl_delay(token)
        rate = rules.request_rate(token)
        if rate is not None and rate.requests:
            delay = max(delay or 0.0, rate.seconds / rate.requests)
        return cls(rules, token, float(delay) if delay is not None and 0 <= delay < float("inf") else None)

    @classmethod
    def of(cls, status: int, body: bytes, user_agent: str) -> Robots | None:
        """What an answer means (RFC 9309 section 2.3.1): 2xx its rules, 4xx but 429 everything is allowed.

        `None`: nothing is known yet and it has to be asked again; if it stays so, everything is disallowed.
        """
        if 200 <= status < 300:
            return cls.parse(body, user_agent)
        return ALLOW_ALL if 300 <= status < 500 and status != 429 else None

    def allows(self, url: str) -> bool:
        """Whether `url` may be fetched."""
        return self.default if self.rules is None else bool(self.rules.can_fetch(url, self.token))


ALLOW_ALL: Final = Robots(None, default=True)
DISALLOW_ALL: Final = Robots(None, default=False)


def _clean(text: str) -> str:
    """Only lines that RFC 9309 gives a meaning to, agents cut to their token.

    The parser lets an unknown line end a group, and compares an agent with all that stands on its line.
    """
    lines = []
    for line in text.splitlines():
        known = KNOWN.match(line.partition("#")[0])
        if known is None:
            continue
        name, value = known[1], known[2].strip()
        if name.lower() in ("user-agent", "useragent"):
            token = TOKEN.match(value)
            name, value = "User-agent", "*" if value.startswith("*") else (token[0] if token else value)
        lines.append(f"{name}: {value}")
    return "\n".join(lines)
