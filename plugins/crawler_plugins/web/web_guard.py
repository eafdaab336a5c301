"""`Guard`: access to the web page. It needs a token, and the name of the host must be the one that is served.

Rule: nothing that a browser sends by itself gives access to data. Cookies of 127.0.0.1 go to every port of it, so a
cookie opens the empty page and no more; the page keeps the token in the session storage of its tab, which belongs to
one port, and sends it as a header field.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from crawler_plugins.web.web_json import BodyTooLarge, body_of, json_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard"]

COOKIE: Final = "crawler_page"
"""The first part of the name of the cookie; the port follows, so that two pages do not replace each other's."""
LINK: Final = "/api/link"
"""The path that makes a link for what cannot send a header field: a download, and server-sent events."""
LINK_SECONDS: Final = 30.0
"""Life of a link, which the page follows at once."""
MAX_LINKS: Final = 100
"""Links that wait to be followed; the oldest are forgotten."""
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
    * The token comes with each request: as ``Authorization: Bearer``, as the password of ``Authorization: Basic``, or
      in the query, as in the address that is printed. That address also sets the cookie (``HttpOnly``,
      ``SameSite=Strict``) with which the page itself, but no data, can be loaded again.
    * ``POST /api/link`` with ``{"path": …}`` returns a key that opens this path once within 30 s: ``?link=KEY``.
    * A request that changes something must have the served origin, if it has one.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str], port: int = 0) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)
        self._cookie = f"{COOKIE}_{port}"
        self._opens_page = secrets.token_urlsafe(16)
        self._links: dict[str, tuple[str, float]] = {}  # the path of each key, and until when it holds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        reason = self._refusal(scope["method"], scope["path"], fields, query)
        if reason:
            await PlainTextResponse(f"{reason}\n", 403, FIELDS)(scope, receive, send)
        elif scope["path"] == LINK:
            await (await self._make_link(Request(scope, receive)))(scope, receive, _with_fields(send, FIELDS))
        elif "token" in query and scope["path"].endswith("/"):
            cookie = f"{self._cookie}={self._opens_page}; HttpOnly; Path=/; SameSite=Strict"
            await self._app(scope, receive, _with_fields(send, FIELDS | {"Set-Cookie": cookie}))
        else:
            await self._app(scope, receive, _with_fields(send, FIELDS))

    def _refusal(self, method: str, path: str, fields: dict[str, str], query: dict[str, list[str]]) -> str:
        """Return why a request is refused; empty if it is not."""
        host = fields.get("host", "")
        if self._hosts and host not in self._hosts:
            return "this name is not served here"
        if not (self._is_known(fields, query) or self._opens(method, path, fields) or self._follows_link(path, query)):
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
        return any(_is_same(text, self._token) for text in given)

    def _opens(self, method: str, path: str, fields: dict[str, str]) -> bool:
        """Return whether a request is for a page or its scripts, which hold no data, and has the cookie."""
        if method not in ("GET", "HEAD") or not (path.endswith("/") or path.startswith("/static/")):
            return False
        try:
            cookie = SimpleCookie(fields.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and _is_same(cookie.value, self._opens_page)

    def _follows_link(self, path: str, query: dict[str, list[str]]) -> bool:
        """Return whether a request follows a link for the first time."""
        given = query.get("link", [""])[0]
        linked, until = self._links.pop(given, ("", 0.0))
        return linked == path and path != LINK and trio.current_time() < until

    async def _make_link(self, request: Request) -> Any:
        """Return the response with the key of a new link."""
        try:
            path = msgspec.json.decode(await body_of(request), type=dict[str, str])["path"]
            path = unquote(path)
        except (BodyTooLarge, msgspec.MsgspecError, KeyError):
            return json_response({"error": 'a link needs a JSON object with its path: {"path": "/api/…"}'}, 400)
        key = secrets.token_urlsafe(16)
        self._links[key] = path, trio.current_time() + LINK_SECONDS
        if len(self._links) > MAX_LINKS:
            del self._links[next(iter(self._links))]
        return json_response({"link": key})


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _password(value: str) -> str:
    """Return the password of basic credentials, with any user; empty if there is none."""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def _with_fields(send: Send, fields: dict[str, str]) -> Send:
    """Return `send` with header fields of every response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in fields.items()]
            message["headers"] = [
                *message["headers"], *((name, value) for name, value in added if name.lower() not in present),
            ]  # fmt: skip
        await send(message)

    return sending
