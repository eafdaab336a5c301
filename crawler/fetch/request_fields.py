"""`RequestFields`: the header fields of a request, with its cookies and credentials."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from crawler.fetch.default_fields import DefaultFields, EncodedPairs, FieldSet, encode_fields, override_fields
from crawler.http.cookies import CookieJar
from crawler.messages import Request
from crawler.messages.request import NO_FIELDS, mapping_of

if TYPE_CHECKING:
    from crawler.fetch.auth import Auth, OriginAuth

__all__ = ["RequestFields"]


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
        return encode_fields(self._merged(request, defaults))

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
