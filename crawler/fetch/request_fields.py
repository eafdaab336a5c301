"""`RequestFields`: the header fields of a request: those that every request carries, its own, cookies, credentials."""

from __future__ import annotations

import base64
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
import msgspec

from crawler import urls
from crawler.headers import Headers
from crawler.http.cookies import CookieJar
from crawler.limits.pace import first_match
from crawler.logs import get_logger
from crawler.messages import Request
from crawler.messages.request import NO_FIELDS, mapping_of
from crawler.redaction import add_secret_field, is_secret, stays_on_origin
from crawler.settings.headers import DefaultHeaders, merged

if TYPE_CHECKING:
    from crawler.fetch.auth import Auth, OriginAuth

__all__ = ["DefaultFields", "FieldSet", "RequestFields", "StartOrigins", "encode_fields", "override_fields"]

Pairs = list[tuple[str, str]]
EncodedPairs = tuple[tuple[bytes, bytes], ...]


class FieldSet(NamedTuple):
    """The default fields for one origin."""

    pairs: Pairs
    """The fields in order, without cookies."""
    encoded: EncodedPairs
    """The same, as they are sent."""
    cookies: str
    """The value of the field ``Cookie``; empty without one."""


class DefaultFields:
    """The fields of the crawler and of the setting `headers`.

    Fields with a secret name go to the origins of start pages only, those of a glob to its hosts only.
    """

    def __init__(self, basic: Mapping[str, str], headers: DefaultHeaders, start_origins: Container[str]) -> None:
        self._basic = list(basic.items())
        self._everywhere = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._by_host = {glob: fields for glob, fields in headers.items() if not isinstance(fields, str)}
        self._secret = {name for name, value in self._everywhere.items() if value and stays_on_origin(name)}
        self._start_origins = start_origins
        self._of_origin = lru_cache(maxsize=4096)(self._find)
        self._usual = self._find("", is_start=False)

    @property
    def has_secrets(self) -> bool:
        """Whether a field goes to the origins of start pages only."""
        return bool(self._secret)

    def of(self, url: str) -> FieldSet:
        """Return the default fields of a request for a canonical URL."""
        if not self._secret and not self._by_host:
            return self._usual
        origin = urls.origin(url)
        return self._of_origin(origin, is_start=origin in self._start_origins)

    def _find(self, origin: str, *, is_start: bool) -> FieldSet:
        fields = {name: value for name, value in self._everywhere.items() if is_start or name not in self._secret}
        of_host = first_match(self._by_host, origin) if origin else None
        pairs = override_fields(self._basic, Headers(merged(fields, of_host or {})))
        cookies = "; ".join(value for name, value in pairs if name.lower() == "cookie")
        pairs = [pair for pair in pairs if pair[0].lower() != "cookie"]
        return FieldSet(pairs, encode_fields(pairs), cookies)


def override_fields(fields: Iterable[tuple[str, str]], own: Headers) -> Pairs:
    """Return the fields that `own` does not name, then those of `own`, without empty ones."""
    return [pair for pair in (*(pair for pair in fields if pair[0] not in own), *own.pairs) if pair[1]]


def encode_fields(fields: Pairs) -> EncodedPairs:
    """Return fields as they are sent."""
    return tuple([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])


class RequestFields:
    """The header fields that are sent: the defaults, those of the request, cookies and credentials."""

    def __init__(
        self,
        defaults: DefaultFields,
        cookies: CookieJar,
        credentials: OriginAuth | None,
        clock: Callable[[], float],
    ) -> None:
        self._defaults = defaults
        self._kept_cookies = cookies
        self._credentials = credentials
        self._clock = clock

    def of(self, request: Request) -> EncodedPairs:
        """Return the fields of a request as they are sent."""
        defaults = self._defaults.of(request.url)
        is_plain = request.headers is NO_FIELDS and request.auth is None and self._credentials is None
        if is_plain and not (defaults.cookies or self._kept_cookies or mapping_of(request, "cookies")):
            return defaults.encoded
        fields = self._merged(request, defaults)
        for name, value in fields:
            if is_secret(name):
                add_secret_field(name, value)
        return encode_fields(fields)

    def _merged(self, request: Request, defaults: FieldSet) -> list[tuple[str, str]]:
        """Return the header fields in order: those of the request replace the defaults, empty ones are left out."""
        fields, own = defaults.pairs, request.headers
        if own.pairs:
            fields = override_fields(fields, own)
        auth: Auth | None = request.auth
        if auth is None and self._credentials is not None:
            auth = self._credentials.for_url(request.url)
        if auth is not None and "authorization" not in own:
            fields = [pair for pair in fields if pair[0].lower() != "authorization"]
            if not isinstance(auth, httpx.Auth):
                fields.append(("Authorization", _authorization(auth)))
        cookies = "" if own.pairs and "cookie" in own else self._cookies(request, defaults.cookies)
        return [*fields, ("Cookie", cookies)] if cookies else fields

    def _cookies(self, request: Request, defaults: str) -> str:
        """Return the cookies as a ``Cookie`` value: those of the request, else of the session, else of the settings."""
        given, kept = mapping_of(request, "cookies"), ""
        if self._kept_cookies:
            kept = self._kept_cookies.header(request.session, request.url, self._clock(), without=given)
        if not given and not defaults:
            return kept
        known = given.keys() | {pair.partition("=")[0] for pair in kept.split("; ")}
        pairs = [pair for pair in defaults.split("; ") if pair and pair.partition("=")[0] not in known]
        return "; ".join([*pairs, *([kept] if kept else []), *(f"{name}={value}" for name, value in given.items())])


def _authorization(auth: tuple[str, str] | str) -> str:
    """Return an ``Authorization`` value: Basic in UTF-8 (RFC 7617 section 2.1), or the text as it is."""
    return auth if isinstance(auth, str) else f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"


MAX_ORIGINS: Final = 10_000
"""Origins that are remembered. A crawl that starts on more of them names the hosts of its secrets."""
log = get_logger("crawler.fetch")


class StartOrigins:
    """The scheme, host and port of each start page. Targets of redirects are not start pages."""

    def __init__(self) -> None:
        self._origins: dict[str, None] = {}
        self._unsaved = False
        self._full = False

    def __contains__(self, origin: object) -> bool:
        return origin in self._origins

    def add(self, url: str) -> None:
        """Add the origin of a start page."""
        origin = urls.origin(url)
        if origin in self._origins:
            return
        if len(self._origins) < MAX_ORIGINS:
            self._origins[origin] = None
            self._unsaved = True
        elif not self._full:
            self._full = True
            log.warning(
                "more than %d origins of start pages: %s and others do not get the secret headers of the settings",
                MAX_ORIGINS,
                origin,
            )

    def add_all(self, start_urls: Iterable[object]) -> None:
        """Add the origins of URLs as a spider names them."""
        for url in start_urls:
            with suppress(ValueError):  # a spider with a `start` of its own may keep other values there
                if isinstance(url, str):
                    self.add(urls.normalize(url))

    def take_unsaved(self) -> bytes | None:
        """Return the origins, as JSON, or `None` if there is no new one since the last call."""
        if not self._unsaved:
            return None
        self._unsaved = False
        return msgspec.json.encode(list(self._origins))

    def restore(self, data: bytes) -> None:
        """Add the origins that `take_unsaved` returned."""
        self._origins |= dict.fromkeys(msgspec.json.decode(data, type=list[str]))
