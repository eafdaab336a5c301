"""`parse`: one ``Set-Cookie`` line becomes a `Cookie`, or nothing (RFC 6265 sections 5.1 to 5.3).

Where browsers agree on more than that, it is done as they do, by the draft that is to replace it (6265bis): a cookie
that is ``Secure`` comes over TLS only, the prefixes ``__Secure-`` and ``__Host-`` of a name are a promise, control
characters and overlong attributes are not taken. What is there for the sake of people and scripts is left out:
``SameSite``, ``HttpOnly``, and the cap of 400 days.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import attrs
from publicsuffixlist import PublicSuffixList

from crawler import urls

__all__ = ["Cookie", "is_expired", "parse_cookie_date", "parse_set_cookie", "path_matches", "path_of", "site_of"]

MAX_COOKIE_SIZE: Final = 4096
"""Bytes of a cookie's name and value together (RFC 6265 section 6.1 asks for 4096 at least)."""
MAX_ATTRIBUTE_SIZE: Final = 1024
"""Bytes of an attribute's value; a longer one is as if it were not there (6265bis)."""
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
    number: int = 0
    """Cookies of a jar are numbered as they come; one that takes the place of another takes its number."""


@attrs.define
class _Attributes:
    """What stands behind the first semicolon."""

    domain: str = ""
    path: str = ""
    secure: bool = False
    max_age: float | None = None
    expires: float | None = None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdigit()


@lru_cache(maxsize=16_384)
def site_of(host: str) -> str:
    """The registrable domain of a host; an address, or a public suffix, is its own."""
    return host if _is_address(host) else (_suffixes().privatesuffix(host) or host)


def parse_set_cookie(field: str, url: str, now: float | None = None) -> Cookie | None:
    """One ``Set-Cookie`` value; `None` if it has to be ignored. It never raises.

    Parameters:
        field: the value, a character a byte.
        url: canonical URL that answered.
        now: seconds since the epoch, for ``Max-Age``; default the wall clock.
    """
    pair, *attributes = field.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(BLANKS), value.strip(BLANKS)
    if not equals or not name or len(name) + len(value) > MAX_COOKIE_SIZE or CONTROLS.search(field):
        return None
    said = _read(attributes)
    host = urls.host(url)
    domain = _domain_of(said.domain, host)
    if domain is None or (said.secure and not url.startswith("https:")):
        return None
    if name.startswith("__") and not _keeps_promise(name.lower(), said, host_only=not domain):
        return None
    expires = said.expires
    if said.max_age is not None:
        expires = (time.time() if now is None else now) + said.max_age if said.max_age > 0 else -math.inf
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        host_only=not domain,
        path=said.path or _default_path(url),
        secure=said.secure,
        expires=expires if expires != math.inf else None,
    )


def _read(attributes: Iterable[str]) -> _Attributes:
    """RFC 6265 section 5.2: the last one of a name that can be read counts."""
    said = _Attributes()
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip(BLANKS).lower(), text.strip(BLANKS)
        if len(text) > MAX_ATTRIBUTE_SIZE:
            continue
        if key == "domain" and text:
            said.domain = text.removeprefix(".").lower()
        elif key == "path":
            said.path = text if text.startswith("/") else ""
        elif key == "secure":
            said.secure = True
        elif key == "max-age" and MAX_AGE.fullmatch(text):
            said.max_age = float(text)
        elif key == "expires" and (date := parse_cookie_date(text)) is not None:
            said.expires = date
    return said


def _domain_of(domain: str, host: str) -> str | None:
    """The domain that a cookie of `host` is for; empty: the host alone; `None`: it is not its to name."""
    if not domain:
        return ""
    is_address = _is_address(host)
    if domain != host and (is_address or not host.endswith("." + domain)):
        return None  # somebody else's
    if is_address or _suffixes().is_public(domain):
        return "" if domain == host else None  # everybody's
    return domain


def _keeps_promise(name: str, said: _Attributes, *, host_only: bool) -> bool:
    """Whether a cookie is what the prefix of its name says (6265bis section 4.1.3)."""
    if name.startswith("__host-"):
        return said.secure and host_only and said.path == "/"
    return said.secure or not name.startswith("__secure-")


def parse_cookie_date(text: str) -> float | None:
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


def is_expired(cookie: Cookie, now: float) -> bool:
    """Whether a cookie has expired at `now`, seconds since the epoch."""
    return cookie.expires is not None and cookie.expires <= now


def path_of(url: str) -> str:
    """The path of a canonical URL."""
    return url[url.index("/", 8) :].partition("?")[0]


def _default_path(url: str) -> str:
    """RFC 6265 section 5.1.4."""
    return path_of(url).rpartition("/")[0] or "/"


def path_matches(path: str, prefix: str) -> bool:
    """Whether a cookie for the path `prefix` is sent to `path` (RFC 6265 section 5.1.4)."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
