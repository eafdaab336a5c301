"""`Guard`: access to the web page. It needs a token, and the name of the host must be the one that is served."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard"]

COOKIE: Final = "crawler_token"
FIELDS: Final = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Header fields of every response. uPlot sets the size of its plots by inline styles."""


class Guard:
    """An ASGI middleware that answers 403 to all other clients.

    * ``Host`` must be one of the served names, so that no page elsewhere can reach this one by a name of its own (DNS
      rebinding).
    * The token comes with ``?token=`` once; a cookie (``HttpOnly``, ``SameSite=Strict``) keeps it. Programs send it
      with each request: in the query, as ``Authorization: Bearer``, or as the password of ``Authorization: Basic``.
    * A request that changes something must have the served origin, if it has one.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        reason = self._refusal(scope["method"], fields, query)
        if reason:
            await PlainTextResponse(f"{reason}\n", 403, FIELDS)(scope, receive, send)
        elif "token" in query and scope["path"] == "/":
            response = RedirectResponse("/", 303, FIELDS)
            response.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, _with_fields(send))

    def _refusal(self, method: str, fields: dict[str, str], query: dict[str, list[str]]) -> str:
        """Return why a request is refused; empty if it is not."""
        host = fields.get("host", "")
        if self._hosts and host not in self._hosts:
            return "this name is not served here"
        if not self._is_known(fields, query):
            return "a token is needed: open the address that the crawl printed"
        origin = fields.get("origin")
        if method not in ("GET", "HEAD") and origin is not None and origin.partition("://")[2] != host:
            return "requests from other origins change nothing"
        return ""

    def _is_known(self, fields: dict[str, str], query: dict[str, list[str]]) -> bool:
        """Return whether a request has the token."""
        given = query.get("token", [])[:1]
        scheme, _, value = fields.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given.append(value.strip())
        elif scheme.lower() == "basic":
            given.append(_password(value.strip()))
        try:
            cookie = SimpleCookie(fields.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is not None:
            given.append(cookie.value)
        return any(hmac.compare_digest(text.encode(), self._token.encode()) for text in given)


def _password(value: str) -> str:
    """Return the password of basic credentials, with any user; empty if there is none."""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def _with_fields(send: Send) -> Send:
    """Return `send` with the header fields of every response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in FIELDS.items()]
            message["headers"] = [
                *message["headers"], *((name, value) for name, value in added if name.lower() not in present),
            ]  # fmt: skip
        await send(message)

    return sending
