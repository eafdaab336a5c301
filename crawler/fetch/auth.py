"""Who a crawl is, by origin (`OriginAuth`), and authentication that takes more than one exchange (`authenticated`)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Final, TypeAlias

import httpx

from crawler import urls
from crawler.errors import ConfigError, RequestError
from crawler.headers import Headers
from crawler.messages import Request, Response
from crawler.messages.checks import parse_auth
from crawler.messages.request import copy_unchecked
from crawler.transport.errors import translate

__all__ = ["Auth", "OriginAuth", "authenticated"]

Auth: TypeAlias = tuple[str, str] | str | httpx.Auth
"""User and password, or a scheme and a credential as one text, or what does it in its own way."""
SUBDOMAINS: Final = re.compile(r"(https?://)\*\.(.+)", re.IGNORECASE)
OF_HTTPX: Final = frozenset({"host", "content-length", "cookie"})
"""Fields that httpx puts into a request; ours are made where it is sent."""
OF_WIRE: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Fields that do not describe a body which is decoded."""


class OriginAuth:
    """What `Spider.auth` says.

    Parameters:
        given: origin, such as ``https://api.example``, to what it is given; ``https://*.example.com`` stands for all
            subdomains of a domain.

    Raises:
        ConfigError: a key is no origin, or a value no authentication.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping):
            raise ConfigError(f"Spider.auth must be a mapping of origins to credentials, not {type(given).__name__}")
        self._origins: dict[str, Auth] = {}
        self._subdomains: list[tuple[str, str, Auth]] = []
        for key, value in given.items():
            auth = _auth(key, value)
            wild = SUBDOMAINS.fullmatch(key) if isinstance(key, str) else None
            origin = _origin(key, wild[1] + wild[2] if wild else key)
            if wild is None:
                self._origins[origin] = auth
            else:
                scheme, _, authority = origin.partition("://")
                self._subdomains.append((f"{scheme}://", f".{authority}", auth))
        self._of_origin = lru_cache(maxsize=4096)(self._find)

    def for_url(self, url: str) -> Auth | None:
        """What the origin of a URL is given, if anything."""
        return self._of_origin(urls.origin(url))

    def _find(self, origin: str) -> Auth | None:
        found = self._origins.get(origin)
        if found is not None:
            return found
        matches = (
            auth for scheme, ending, auth in self._subdomains if origin.startswith(scheme) and origin.endswith(ending)
        )
        return next(matches, None)


async def authenticated(
    auth: httpx.Auth,
    request: Request,
    send: Callable[[Request], Awaitable[Response]],
    turn: Callable[[Request, Response], Awaitable[None]],
) -> Response:
    """The answer to a request that httpx's authentication may change, and ask for more than once.

    Parameters:
        auth: whose flow decides what is sent.
        request: what is asked.
        send: one exchange.
        turn: waits until another request may go out; is given it, and the answer to the one before.

    Raises:
        RequestError: there was no answer, or the flow raised.
    """
    try:
        asked = httpx.Request(request.method, request.url, headers=request.headers.pairs, content=request.body or None)
        async with aclosing(auth.async_auth_flow(asked)) as flow:
            wire = await anext(flow)
            while True:
                await wire.aread()
                sent = _of_flow(wire, request)
                answer = await send(sent)
                try:
                    wire = await flow.asend(_for_flow(answer, wire))
                except StopAsyncIteration:
                    break
                await turn(sent, answer)
    except RequestError:
        raise
    except Exception as error:
        raise translate(error, request) from error
    answer.request = request
    return answer


def _of_flow(wire: httpx.Request, request: Request) -> Request:
    """What a flow wants to be sent, as a request of ours; one to somebody else has nothing of the page's with it."""
    url = urls.normalize(str(wire.url))
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in wire.headers.raw]
    own = [(name, value) for name, value in pairs if name.lower() not in OF_HTTPX or name in request.headers]
    cookies = request.cookies if urls.origin(url) == urls.origin(request.url) else {}
    return copy_unchecked(
        request, url=url, method=wire.method, headers=Headers(own), body=wire.content, cookies=cookies
    )


def _for_flow(answer: Response, wire: httpx.Request) -> httpx.Response:
    """An answer as flows look at it; its body is decoded."""
    pairs = [pair for pair in answer.headers.pairs if pair[0].lower() not in OF_WIRE]
    return httpx.Response(answer.status, headers=pairs, content=answer.body, request=wire)


def _origin(key: Any, url: Any) -> str:
    try:
        normal = urls.normalize(url if isinstance(url, str) else "")
    except ValueError:
        normal = ""
    origin = urls.origin(normal) if normal else ""
    if not origin or normal != f"{origin}/" or "*" in origin:
        raise ConfigError(
            f"Spider.auth: {key!r} is no origin: write https://api.example, or https://*.example.com for subdomains"
            if "@" not in str(key)
            else "Spider.auth: a user and a password are the value, not part of the origin"
        )
    return origin


def _auth(key: Any, value: Any) -> Auth:
    if isinstance(value, httpx.Auth):
        return value
    try:
        return parse_auth(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Spider.auth[{key!r}]: {error}") from None
