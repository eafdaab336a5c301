"""Cookies by RFC 6265: a jar a session, kept site by site, so that a crawl of many sites pays for one at a time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import attrs
import msgspec
from publicsuffixlist import PublicSuffixList

from crawler import urls

__all__ = ["Cookie", "CookieJar"]

PER_SITE: Final = 100
"""Cookies of one site; the oldest goes first (RFC 6265 section 6.1 asks for 50 at least)."""
LONGEST: Final = 4096
"""Characters of a cookie's name and value together (RFC 6265 section 6.1 asks for 4096 at least)."""
BLANKS: Final = " \t"
CONTROLS: Final = re.compile(r"[\0-\x08\x0a-\x1f\x7f]")
MAX_AGE: Final = re.compile(r"-?[0-9]+")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATE_TOKEN: Final = re.compile(r"[^\t -/;-@\[-`{-~]+")
DATE_PARTS: Final = {
    "clock": re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])"),
    "day": re.compile(r"([0-9]{1,2})(?![0-9])"),
    "month": re.compile(f"({'|'.join(MONTHS)})", re.IGNORECASE),
    "year": re.compile(r"([0-9]{2,4})(?![0-9])"),
}
"""What a date is made of, in the order in which a token is tried for it."""


@attrs.frozen(kw_only=True)
class Cookie:
    """One cookie."""

    name: str
    value: str
    domain: str
    """The host it belongs to, in small letters."""
    host_only: bool
    """Whether it stays off the subdomains."""
    path: str
    secure: bool
    expires: float | None
    """Seconds since the epoch; `None`: the end of the session."""


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdigit()


@lru_cache(maxsize=4096)
def _site(host: str) -> str:
    """The registrable domain of a host; an address, or a public suffix, is its own."""
    return host if _is_address(host) else (_suffixes().privatesuffix(host) or host)


class CookieJar:
    """The cookies of all sessions of a crawl."""

    def __init__(self) -> None:
        self._sites: dict[tuple[str, str], dict[tuple[str, str, str], Cookie]] = {}
        self._changes: list[tuple[str, Cookie, bool]] = []

    def header(self, session: str, url: str, now: float) -> str:
        """The ``Cookie`` field for a request, empty without cookies (RFC 6265 section 5.4).

        Parameters:
            session: name of the session.
            url: canonical URL of the request.
            now: seconds since the epoch.
        """
        if not self._sites:
            return ""
        host = urls.host(url)
        cookies = self._sites.get((session, _site(host)))
        if not cookies:
            return ""
        path = _path(url)
        secure = url.startswith("https:")
        fitting = [
            cookie
            for cookie in cookies.values()
            if (cookie.domain == host or (not cookie.host_only and host.endswith("." + cookie.domain)))
            and _path_matches(path, cookie.path)
            and (secure or not cookie.secure)
            and not _has_ended(cookie, now)
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def store(self, session: str, url: str, fields: Iterable[str], now: float) -> None:
        """Takes the ``Set-Cookie`` fields of an answer (RFC 6265 section 5.3).

        Parameters:
            session: name of the session.
            url: canonical URL that answered.
            fields: the values of its ``Set-Cookie`` lines.
            now: seconds since the epoch.
        """
        for field in fields:
            cookie = parse(field, url, now)
            if cookie is None:
                continue
            site = self._sites.setdefault((session, _site(cookie.domain)), {})
            key = (cookie.domain, cookie.path, cookie.name)
            if _has_ended(cookie, now):
                if site.pop(key, None) is not None:
                    self._changes.append((session, cookie, False))
                continue
            site[key] = cookie  # one that takes the place of another keeps its place in the order
            self._changes.append((session, cookie, True))
            if len(site) > PER_SITE:
                oldest = next((old for old in site if _has_ended(site[old], now)), next(iter(site)))
                self._changes.append((session, site.pop(oldest), False))

    def take_changes(self) -> list[tuple[str, Cookie, bool]]:
        """Session, cookie, and whether it is there now: what has changed since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def restore(self, kept: Iterable[tuple[str, bytes]]) -> None:
        """Takes back cookies that were kept, as session and JSON."""
        for session, data in kept:
            cookie = msgspec.json.decode(data, type=Cookie)
            site = self._sites.setdefault((session, _site(cookie.domain)), {})
            site[cookie.domain, cookie.path, cookie.name] = cookie


def parse(field: str, url: str, now: float | None = None) -> Cookie | None:
    """One ``Set-Cookie`` value; `None` if it has to be ignored (RFC 6265 sections 5.2 and 5.3).

    Parameters:
        field: the value.
        url: canonical URL that answered.
        now: seconds since the epoch, for ``Max-Age``; default the wall clock.
    """
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(BLANKS), value.strip(BLANKS)
    if not equals or not name or len(name) + len(value) > LONGEST or CONTROLS.search(field):
        return None
    host = urls.host(url)
    domain, path, secure = "", _default_path(url), False
    expires: float | None = None
    max_age: float | None = None
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip(BLANKS).lower(), text.strip(BLANKS)
        if key == "domain" and text:
            domain = text.removeprefix(".").lower()
        elif key == "path":
            path = text if text.startswith("/") else _default_path(url)
        elif key == "secure":
            secure = True
        elif key == "max-age" and MAX_AGE.fullmatch(text):
            max_age = float(text)
        elif key == "expires" and (date := parse_date(text)) is not None:
            expires = date
    if max_age is not None:
        expires = (time.time() if now is None else now) + max_age if max_age > 0 else -math.inf
    if domain and domain != host and (_is_address(host) or not host.endswith("." + domain)):
        return None  # somebody else's
    if domain and (_is_address(host) or _suffixes().is_public(domain)):
        if domain != host:
            return None  # everybody's
        domain = ""
    return Cookie(
        name=name, value=value, domain=domain or host, host_only=not domain, path=path, secure=secure, expires=expires
    )


def parse_date(text: str) -> float | None:
    """A date of a cookie in seconds since the epoch; `None`: it is none (RFC 6265 section 5.1.1)."""
    found: dict[str, re.Match[str]] = {}
    for token in DATE_TOKEN.findall(text):
        for part, pattern in DATE_PARTS.items():
            if part not in found and (match := pattern.match(token)):
                found[part] = match
                break
    if len(found) < len(DATE_PARTS):
        return None
    year = int(found["year"][1])
    year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    month, day = MONTHS.index(found["month"][1].lower()) + 1, int(found["day"][1])
    hour, minute, second = map(int, found["clock"].groups())
    try:
        date = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp() if year > 1600 else None


def _has_ended(cookie: Cookie, now: float) -> bool:
    return cookie.expires is not None and cookie.expires <= now


def _path(url: str) -> str:
    return url[url.index("/", 8) :].partition("?")[0]


def _default_path(url: str) -> str:
    """RFC 6265 section 5.1.4."""
    return _path(url).rpartition("/")[0] or "/"


def _path_matches(path: str, prefix: str) -> bool:
    """RFC 6265 section 5.1.4."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
