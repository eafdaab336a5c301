"""Credentials by origin (`OriginAuth`), and authentication that takes several exchanges (`send_authenticated`)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Final, TypeAlias

import httpx

from crawler import urls
from crawler.environment import resolve_credentials, resolve_values
from crawler.errors import ConfigError, RequestError
from crawler.headers import Headers
from crawler.messages import Request, Response
from crawler.messages.checks import parse_auth
from crawler.messages.request import copy_unchecked
from crawler.transport.errors import translate

__all__ = ["Auth", "OriginAuth", "send_authenticated"]

Auth: TypeAlias = tuple[str, str] | str | httpx.Auth
"""User and password, the value of an ``Authorization`` field, or an authentication flow of httpx."""
SUBDOMAINS: Final = re.compile(r"(https?://)\*\.(.+)", re.IGNORECASE)
HTTPX_FIELDS: Final = frozenset({"host", "content-length", "cookie"})
"""Fields that httpx adds to a request; the transport and `Downloader` make their own."""
WIRE_FIELDS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Fields that are not true of a decoded body."""


class OriginAuth:
    """The credentials of `Spider.auth`."""

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        if not isinstance(credentials, Mapping):
            kind = type(credentials).__name__
            raise ConfigError(f"Spider.auth must be a mapping of origins to credentials, not {kind}")
        self._origins: dict[str, Auth] = {}
        self._subdomains: list[tuple[str, str, Auth]] = []
        for key, value in credentials.items():
            auth = _parse_auth(key, value)
            wildcard = SUBDOMAINS.fullmatch(key) if isinstance(key, str) else None
            origin = _parse_origin(key, wildcard[1] + wildcard[2] if wildcard else key)
            if wildcard is None:
                self._origins[origin] = auth
            else:
                scheme, _, authority = origin.partition("://")
                self._subdomains.append((f"{scheme}://", f".{authority}", auth))
        self._for_origin = lru_cache(maxsize=4096)(self._find)

    def for_url(self, url: str) -> Auth | None:
        """Return the credentials for the origin of a URL, if any."""
        return self._for_origin(urls.origin(url))

    def _find(self, origin: str) -> Auth | None:
        found = self._origins.get(origin)
        if found is not None:
            return found
        matches = (
            auth for scheme, ending, auth in self._subdomains if origin.startswith(scheme) and origin.endswith(ending)
        )
        return next(matches, None)


async def send_authenticated(
    auth: httpx.Auth,
    request: Request,
    send: Callable[[Request], Awaitable[Response]],
    before_next: Callable[[Request, Response], Awaitable[None]],
) -> Response:
    """Return the response to a request that an authentication flow of httpx changes, and may send several times."""
    try:
        original = httpx.Request(
            request.method, request.url, headers=request.headers.pairs, content=request.body or None
        )
        async with aclosing(auth.async_auth_flow(original)) as flow:
            of_flow = await anext(flow)
            while True:
                await of_flow.aread()
                sent = _from_flow(of_flow, request)
                response = await send(sent)
                try:
                    of_flow = await flow.asend(_to_flow(response, of_flow))
                except StopAsyncIteration:
                    break
                await before_next(sent, response)
    except RequestError:
        raise
    except Exception as error:
        raise translate(error, request) from error
    response.request = request
    return response


def _from_flow(of_flow: httpx.Request, request: Request) -> Request:
    """Return a request of the flow as one of the crawl. To another origin it carries no cookies of the original."""
    url = urls.normalize(str(of_flow.url))
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in of_flow.headers.raw]
    own = [(name, value) for name, value in pairs if name.lower() not in HTTPX_FIELDS or name in request.headers]
    cookies = request.cookies if urls.origin(url) == urls.origin(request.url) else {}
    return copy_unchecked(
        request, url=url, method=of_flow.method, headers=Headers(own), body=of_flow.content, cookies=cookies
    )


def _to_flow(response: Response, of_flow: httpx.Request) -> httpx.Response:
    """Return a response as one of httpx, with its decoded body."""
    pairs = [pair for pair in response.headers.pairs if pair[0].lower() not in WIRE_FIELDS]
    return httpx.Response(response.status, headers=pairs, content=response.body, request=of_flow)


def _parse_origin(key: Any, url: Any) -> str:
    try:
        normalized = urls.normalize(url if isinstance(url, str) else "")
    except ValueError:
        normalized = ""
    origin = urls.origin(normalized) if normalized else ""
    if not origin or normalized != f"{origin}/" or "*" in origin:
        raise ConfigError(
            f"Spider.auth: {key!r} is not an origin: write https://api.example, or https://*.example.com for subdomains"
            if "@" not in str(key)
            else "Spider.auth: user and password belong in the value, not in the origin"
        )
    return origin


def _parse_auth(key: Any, value: Any) -> Auth:
    if isinstance(value, httpx.Auth):
        return value
    where = f"Spider.auth[{key!r}]"
    if isinstance(value, str):
        value = resolve_credentials(value, where)
    elif isinstance(value, (tuple, list)):
        value = resolve_values(value, where)
    try:
        return parse_auth(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None
