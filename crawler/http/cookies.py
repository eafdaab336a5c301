"""`CookieJar`: cookies by RFC 6265, by session and site, so that a request reads those of one site only."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from crawler import urls
from crawler.http.set_cookie import Cookie, is_expired, parse_set_cookie, path_matches, path_of, site_of
from crawler.logs import get_logger
from crawler.redaction import add_secret_field

__all__ = ["Cookie", "CookieJar"]

MAX_COOKIES_PER_SITE: Final = 100
"""Cookies of one site; the oldest is dropped first (RFC 6265 section 6.1 requires at least 50)."""
MAX_COOKIES: Final = 50_000
"""All cookies; those of the least recently requested site are dropped first (section 6.1 requires at least 3000)."""
log = get_logger("crawler.fetch")

Key = tuple[str, str, str]
"""Domain, path and name, which identify a cookie."""


class CookieJar:
    """The cookies of all sessions of a crawl."""

    def __init__(self) -> None:
        self._sites: dict[tuple[str, str], dict[Key, Cookie]] = {}  # by session and site, the most recently used last
        self._changes: list[tuple[str, Cookie, bool]] = []
        self._number = 0
        self._count = 0
        self._full = False

    def __len__(self) -> int:
        return self._count

    def header(self, session: str, url: str, now: float, without: Container[str] = ()) -> str:
        """Return the ``Cookie`` value for a request, empty without cookies (RFC 6265 section 5.4).

        A cookie without a name is its value alone (6265bis).
        """
        if not self._sites:
            return ""
        found = self.matching(session, url, now)
        return "; ".join(
            [
                f"{cookie.name}={cookie.value}" if cookie.name else cookie.value
                for cookie in found
                if cookie.name not in without
            ]
        )

    def matching(self, session: str, url: str, now: float) -> list[Cookie]:
        """Return the cookies for a request, in the order in which they are sent."""
        host = urls.host(url)
        place = (session, site_of(host))
        cookies = self._sites.get(place)
        if cookies is None:
            return []
        self._sites[place] = self._sites.pop(place)
        path = path_of(url)
        secure = url.startswith("https:")
        matching, expired = [], []
        for cookie in cookies.values():
            if is_expired(cookie, now):
                expired.append(cookie)
            elif (
                (cookie.domain == host or (not cookie.host_only and host.endswith("." + cookie.domain)))
                and path_matches(path, cookie.path)
                and (secure or not cookie.secure)
            ):
                matching.append(cookie)
        for cookie in expired:
            self._remove(place, cookie)
        matching.sort(key=lambda cookie: -len(cookie.path))
        return matching

    def store(self, session: str, url: str, fields: Iterable[str], now: float) -> None:
        """Store the cookies of a response (RFC 6265 section 5.3)."""
        for field in fields:
            cookie = parse_set_cookie(field, url, now)
            if cookie is None:
                continue
            place = (session, site_of(cookie.domain))
            site = self._sites.get(place, {})
            if not cookie.secure and url.startswith("http:") and _shadows_secure(cookie, site.values()):
                continue
            old = site.get(_key(cookie))
            if is_expired(cookie, now):
                if old is not None:
                    self._remove(place, old)
                continue
            if old is not None:
                cookie = replace(cookie, number=old.number)  # it keeps the place of the one it replaces
            else:
                self._number += 1
                cookie = replace(cookie, number=self._number)
            if cookie != old:
                add_secret_field("Set-Cookie", f"{cookie.name}={cookie.value}")
                self._put(place, cookie)
                self._changes.append((session, cookie, True))
                self._make_room(place, now)

    def _put(self, place: tuple[str, str], cookie: Cookie) -> None:
        site = self._sites.setdefault(place, {})
        before = len(site)
        site[_key(cookie)] = cookie
        self._count += len(site) - before

    def _remove(self, place: tuple[str, str], cookie: Cookie) -> None:
        site = self._sites[place]
        del site[_key(cookie)]
        self._count -= 1
        self._changes.append((place[0], cookie, False))
        if not site:
            del self._sites[place]

    def _make_room(self, place: tuple[str, str], now: float) -> None:
        """Drop cookies beyond the limits: of the site that has just got one, or of an idle site."""
        site = self._sites[place]
        if len(site) > MAX_COOKIES_PER_SITE:
            self._remove(place, next((old for old in site.values() if is_expired(old, now)), next(iter(site.values()))))
        if self._count > MAX_COOKIES:
            idle = next(other for other in self._sites if other != place)
            if not self._full:
                self._full = True
                log.warning(
                    "more than %d cookies: those of the least recently requested sites are dropped", MAX_COOKIES
                )
            for cookie in list(self._sites[idle].values()):
                self._remove(idle, cookie)

    def take_changes(self) -> list[tuple[str, Cookie, bool]]:
        """Return the changes since the last call: session, cookie, and whether it is in the jar now."""
        changes, self._changes = self._changes, []
        return changes

    def replace(self, session: str, domain: str, path: str, name: str, value: bytes | None) -> None:
        """Put a cookie of another worker into the jar, or remove it. `take_changes` does not return it."""
        if value is not None:
            self.restore([(session, value)])
            return
        place = (session, site_of(domain))
        site = self._sites.get(place, {})
        if site.pop((domain, path, name), None) is not None:
            self._count -= 1
            if not site:
                del self._sites[place]

    def restore(self, kept: Iterable[tuple[str, bytes]]) -> None:
        """Put saved cookies into the jar, as pairs of session and JSON, in any order."""
        cookies = [(session, msgspec.json.decode(data, type=Cookie)) for session, data in kept]
        for session, cookie in sorted(cookies, key=lambda entry: entry[1].number):
            self._put((session, site_of(cookie.domain)), cookie)
            self._number = max(self._number, cookie.number)


def _key(cookie: Cookie) -> Key:
    return cookie.domain, cookie.path, cookie.name


def _shadows_secure(cookie: Cookie, others: Iterable[Cookie]) -> bool:
    """Return whether a cookie set without TLS would shadow one set over TLS (6265bis section 5.7)."""
    return any(
        other.secure
        and other.name == cookie.name
        and (_is_within(cookie.domain, other.domain) or _is_within(other.domain, cookie.domain))
        and path_matches(cookie.path, other.path)
        for other in others
    )


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)
