"""`parse_set_cookie`: from one ``Set-Cookie`` value to a `Cookie` (RFC 6265 sections 5.1 to 5.3).

Where browsers agree on more, this follows the draft that will replace the RFC (6265bis): a cookie may have no name,
``Secure`` cookies are accepted over TLS only, the name prefixes ``__Secure-`` and ``__Host-`` are enforced, and control
characters and overlong attributes are rejected. What protects people is left out: ``SameSite``, the cap of 400 days.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from msgspec import Struct
from publicsuffixlist import PublicSuffixList

from crawler import urls
from crawler.lazy_pattern import lazy_pattern

__all__ = ["Cookie", "is_expired", "parse_cookie_date", "parse_set_cookie", "path_matches", "path_of", "site_of"]

MAX_COOKIE_SIZE: Final = 4096
"""Bytes of a cookie's name and value together (RFC 6265 section 6.1 requires at least 4096)."""
PREFIXES: Final = ("__secure-", "__host-")
"""The beginnings of names that promise attributes (6265bis section 4.1.3), in lower case."""
MAX_ATTRIBUTE_SIZE: Final = 1024
"""Bytes of an attribute's value; a longer attribute is ignored (6265bis)."""
BLANKS: Final = " \t"
CONTROLS: Final = lazy_pattern(r"[\0-\x08\x0a-\x1f\x7f]")
MAX_AGE: Final = lazy_pattern(r"-?[0-9]+")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATE_TOKEN: Final = lazy_pattern(r"[^\t -/;-@\[-`{-~]+")
DATE_PARTS: Final = {
    "clock": lazy_pattern(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])"),
    "day": lazy_pattern(r"([0-9]{1,2})(?![0-9])"),
    "month": lazy_pattern(f"({'|'.join(MONTHS)})", re.IGNORECASE),
    "year": lazy_pattern(r"([0-9]{2,4})(?![0-9])"),
}
"""The parts of a date, in the order in which a token is matched against them."""


class Cookie(Struct, frozen=True, kw_only=True):
    """One cookie."""

    name: str
    """Its name; empty if it has none, as ``Set-Cookie: VALUE``."""
    value: str
    domain: str
    """The host it belongs to, in lower case."""
    host_only: bool
    """Whether it is not sent to subdomains."""
    path: str
    secure: bool
    expires: float | None
    """Expiry in seconds since the epoch; `None` means the end of the session."""
    http_only: bool = False
    """Whether scripts of pages do not see it."""
    number: int = 0
    """Position in the order of the jar; a cookie that replaces another takes over its number."""


class _Attributes(Struct, eq=False):
    """The attributes, which follow the first semicolon."""

    domain: str = ""
    path: str = ""
    secure: bool = False
    http_only: bool = False
    max_age: float | None = None
    expires: float | None = None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdigit()


@lru_cache(maxsize=16_384)
def site_of(host: str) -> str:
    """Return the registrable domain of a host; that of an address or a public suffix is itself."""
    return host if _is_address(host) else (_suffixes().privatesuffix(host) or host)


def parse_set_cookie(field: str, url: str, now: float | None = None) -> Cookie | None:
    """Parse one ``Set-Cookie`` value; return `None` if it must be ignored. Never raises."""
    pair, *attributes = field.split(";")
    name, value = pair.split("=", 1) if "=" in pair else ("", pair)
    name, value = name.strip(BLANKS), value.strip(BLANKS)
    if not 0 < len(name) + len(value) <= MAX_COOKIE_SIZE or CONTROLS.search(field):
        return None
    if not name and value.lower().startswith(PREFIXES):  # a server would take it for a cookie of that name
        return None
    parsed = _parse_attributes(attributes)
    host = urls.host(url)
    domain = _domain_of(parsed.domain, host)
    if domain is None or (parsed.secure and not url.startswith("https:")):
        return None
    if name.startswith("__") and not _satisfies_prefix(name.lower(), parsed, host_only=not domain):
        return None
    expires = parsed.expires
    if parsed.max_age is not None:
        expires = (time.time() if now is None else now) + parsed.max_age if parsed.max_age > 0 else -math.inf
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        host_only=not domain,
        path=parsed.path or _default_path(url),
        secure=parsed.secure,
        http_only=parsed.http_only,
        expires=expires if expires != math.inf else None,
    )


def _parse_attributes(attributes: Iterable[str]) -> _Attributes:
    """Parse the attributes; the last valid one of a name counts (RFC 6265 section 5.2)."""
    parsed = _Attributes()
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip(BLANKS).lower(), text.strip(BLANKS)
        if len(text) > MAX_ATTRIBUTE_SIZE:
            continue
        if key == "domain" and text:
            parsed.domain = text.removeprefix(".").lower()
        elif key == "path":
            parsed.path = text if text.startswith("/") else ""
        elif key == "secure":
            parsed.secure = True
        elif key == "httponly":
            parsed.http_only = True
        elif key == "max-age" and MAX_AGE.fullmatch(text):
            parsed.max_age = float(text)
        elif key == "expires" and (date := parse_cookie_date(text)) is not None:
            parsed.expires = date
    return parsed


def _domain_of(domain: str, host: str) -> str | None:
    """Return the domain of a cookie from `host`: empty for the host alone, `None` if the host may not name it."""
    if not domain:
        return ""
    is_address = _is_address(host)
    if domain != host and (is_address or not host.endswith("." + domain)):
        return None  # a foreign domain
    if is_address or _suffixes().is_public(domain):
        return "" if domain == host else None  # a public suffix
    return domain


def _satisfies_prefix(name: str, parsed: _Attributes, *, host_only: bool) -> bool:
    """Return whether a cookie meets the requirements of its name's prefix (6265bis section 4.1.3)."""
    if name.startswith("__host-"):
        return parsed.secure and host_only and parsed.path == "/"
    return parsed.secure or not name.startswith("__secure-")


def parse_cookie_date(text: str) -> float | None:
    """Parse a cookie date to seconds since the epoch; return `None` if it is invalid (RFC 6265 section 5.1.1)."""
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
    """Return whether a cookie has expired at `now`, in seconds since the epoch."""
    return cookie.expires is not None and cookie.expires <= now


def path_of(url: str) -> str:
    """Return the path of a canonical URL."""
    return url[url.index("/", 8) :].partition("?")[0]


def _default_path(url: str) -> str:
    """Return the path of a cookie without the attribute (RFC 6265 section 5.1.4)."""
    return path_of(url).rpartition("/")[0] or "/"


def path_matches(path: str, prefix: str) -> bool:
    """Return whether a cookie for the path `prefix` is sent to `path` (RFC 6265 section 5.1.4)."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
