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
KNOWN: Final = re.compile(
    r"\s*(user[- ]?agent|allow|diss?all?ow|diasllow|disallaw|crawl-delay|request-rate|sitemap)\s*:(.*)", re.IGNORECASE
)
"""Lines with a meaning; the misspellings are those that Google takes too."""
OURS, ALL, SOMEBODY_ELSE = "ours", "*", "others"
"""What agents are called for the parser."""


def token_of(user_agent: str) -> str:
    """The product token of a ``User-Agent``: what stands before its first space or slash (RFC 9309 section 2.2.1)."""
    return re.split(r"[\s/]", user_agent.strip(), maxsplit=1)[0]


@attrs.frozen(eq=False)
class Robots:
    """The rules of one origin for one user agent."""

    rules: Protego | None
    """The parsed file; `None`: the same answer for every URL."""
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
        rules = Protego.parse(_clean(_head(body).decode("utf-8-sig", "replace"), token_of(user_agent)))
        delay = rules.crawl_delay(OURS)
        rate = rules.request_rate(OURS)
        if rate is not None and rate.requests:
            delay = max(delay or 0.0, rate.seconds / rate.requests)
        return cls(rules, float(delay) if delay is not None and 0 <= delay < float("inf") else None)

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
        return self.default if self.rules is None else bool(self.rules.can_fetch(url, OURS))


ALLOW_ALL: Final = Robots(None, default=True)
DISALLOW_ALL: Final = Robots(None, default=False)


def _head(body: bytes) -> bytes:
    """What is read of a long file: whole lines, since a rule that is cut off is another rule."""
    return body if len(body) <= LIMIT else body[: max(body.rfind(b"\n", 0, LIMIT), body.rfind(b"\r", 0, LIMIT)) + 1]


def _clean(text: str, token: str) -> str:
    """Only lines that RFC 9309 gives a meaning to, each agent told apart as ours, all, or somebody else.

    The parser lets an unknown line end a group, and takes ``trio`` for the name of ``trio-crawler``.
    """
    lines = []
    for line in text.splitlines():
        known = KNOWN.match(line.partition("#")[0])
        if known is None:
            continue
        name, value = known[1].lower(), known[2].strip()
        if name.startswith("user"):
            agent = token_of(value)
            ours = agent.lower() == token.lower()
            name, value = "user-agent", OURS if ours else ALL if agent == ALL else SOMEBODY_ELSE
        lines.append(f"{name}: {value}")
    return "\n".join(lines)
