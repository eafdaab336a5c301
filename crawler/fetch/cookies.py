"""Cookies by RFC 6265: a jar a session, kept site by site, so that a crawl of many sites pays for one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from functools import lru_cache

import attrs
import msgspec
from publicsuffixlist import PublicSuffixList

from crawler import urls

__all__ = ["Cookie", "CookieJar"]

PER_SITE = 100
"""Cookies of one site; the oldest goes first (RFC 6265 section 6.1 asks for 50 at least)."""


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
            and (path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/"))
            and (secure or not cookie.secure)
            and (cookie.expires is None or cookie.expires > now)
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in fitting)

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
            had = site.pop(key, None)
            there = cookie.expires is None or cookie.expires > now
            if there:
                site[key] = cookie
            if there or had is not None:
                self._changes.append((session, cookie, there))
            if len(site) > PER_SITE:
                self._changes.append((session, site.pop(next(iter(site))), False))

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
    if not equals or not name.strip():
        return None
    host = urls.host(url)
    domain, host_only, path, secure = host, True, _default_path(url), False
    expires: float | None = None
    max_age: float | None = None
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip().lower(), text.strip()
        if key == "domain" and text.strip("."):
            domain, host_only = text.lstrip(".").lower(), False
        elif key == "path" and text.startswith("/"):
            path = text
        elif key == "secure":
            secure = True
        elif key == "max-age" and text.lstrip("-").isdigit():
            max_age = float(text)
        elif key == "expires":
            expires = _date(text)
    if max_age is not None:
        expires = (time.time() if now is None else now) + max_age if max_age > 0 else 0.0
    if not host_only and domain != host:
        foreign = not host.endswith("." + domain) or _is_address(host)
        if foreign or _suffixes().is_public(domain):
            return None
    elif domain == host and (_is_address(host) or _suffixes().is_public(host)):
        host_only = True
    return Cookie(
        name=name.strip(),
        value=value.strip(),
        domain=domain,
        host_only=host_only,
        path=path,
        secure=secure,
        expires=expires,
    )


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text.replace("-", " ")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _path(url: str) -> str:
    return url[url.index("/", 8) :].partition("?")[0]


def _default_path(url: str) -> str:
    """RFC 6265 section 5.1.4."""
    return _path(url).rpartition("/")[0] or "/"
