"""`Visit`: one attempt to fetch a page, compared with what the last round knew of the page."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import msgspec

from crawler import Request, Response
from crawler_plugins.recrawl.page_store import Record
from crawler_plugins.recrawl.snapshot import (
    Snapshot,
    is_page,
    parse_http_date,
    parse_lastmod,
    usable_date,
    usable_etag,
)

__all__ = ["Visit", "is_kept", "key_of"]

MISSING: Final = (404, 410)
PERMANENT: Final = (301, 308)
OWN_CONDITIONS: Final = frozenset({"if-match", "if-modified-since", "if-none-match", "if-range", "range"})
"""Conditions and ranges of the request's own, whose response is not the whole page."""


@attrs.define(kw_only=True, eq=False, repr=False)
class Visit:
    """One attempt to fetch a page."""

    key: bytes
    """Identifies the request."""
    request: Request
    """The request."""
    before: Snapshot = attrs.field(factory=Snapshot)
    """The page as the last round knew it."""
    after: Snapshot | None = None
    """The page after a definitive response."""
    is_handled: bool = False
    """Whether the page was handled, or need not be."""
    has_actions: bool = False
    """Whether the page has yielded requests that are not kept."""
    is_written: bool = False
    """Whether the visit has ended."""
    location: str = ""
    """The new place of a page that has moved."""
    content: tuple[list[tuple[str, str]], bytes] | None = None
    """Header fields and compressed body, if they are to be kept."""

    @property
    def change(self) -> str:
        """The result of the visit; empty if that is nothing."""
        return "" if self.after is None else self.before.change(self.after) or ""

    def conditional(self) -> Request:
        """Return the request with the conditions of the page; the request itself if there are none."""
        conditions, fields = self.before.conditions(), self.request.headers.pairs
        if not conditions or any(name.lower() in OWN_CONDITIONS for name, _ in fields):
            return self.request
        return self.request.replace(headers=[*fields, *conditions])

    def take(self, response: Response, now: float, *, is_conditional: bool, by_text: bool) -> None:
        """Set what a response says of the page. One that is not definitive says nothing.

        Parameters:
            response: The response.
            now: Seconds since the epoch.
            is_conditional: Whether the request had conditions: without them, a 304 says nothing.
            by_text: Whether the main content is compared, not the body.
        """
        status, fields, content = response.status, response.headers, b""
        if is_page(status):
            content = response.article().text.encode() if by_text and response.is_html else response.body
        elif 300 <= status < 400 and status != 304 and "location" in fields:
            if status not in PERMANENT and is_page(self.before.status):
                return  # the page is elsewhere for a time
            self.location = fields.get("location", "")
            content = self.location.encode(errors="surrogateescape")
        elif status not in MISSING and not (status == 304 and is_conditional):
            return
        server_now = parse_http_date(fields.get("date"))
        self.after = self.before.after(
            status=status,
            at=now,
            digest=hashlib.blake2b(content, digest_size=16).digest(),
            etag=usable_etag(fields.get("etag")),
            modified=usable_date(fields.get("last-modified"), now if server_now is None else server_now),
            is_listed=parse_lastmod(self.request.meta.get("lastmod"), now) is not None,
        )
        self.is_handled = not is_page(self.after.status)

    def record(self, plugin: str) -> Record:
        """Return what is kept of the visit: nothing of a page that was not handled, except its request.

        Parameters:
            plugin: Name of the plugin, whose option is left out of the request.
        """
        request, after = self.request, self.after if self.is_handled else None
        if after is not None and self.has_actions:
            after = msgspec.structs.replace(after, has_actions=True)
        others = {name: value for name, value in request.plugins.items() if name != plugin}
        return Record(
            key=self.key,
            handlers=" ".join(name for name in (request.callback, request.errback) if name),
            request=request.replace(redirects=(), plugins=others or None).to_json(),
            snapshot=after,
            content=self.content,
        )

    def line(self) -> dict[str, Any]:
        """Return the line that reports the change."""
        after = self.after
        assert after is not None
        line = {"url": self.request.url, "change": self.change, "status": after.status, "at": _iso(after.at)}
        if self.before.at:
            line["previous"] = _iso(self.before.at)
        return line | ({"location": self.location} if self.location else {})


def is_kept(request: Request) -> bool:
    """Return whether a request is kept for the next round: a GET without a body that the crawl filters."""
    return request.method == "GET" and not request.body and not request.dont_filter


def key_of(request: Request) -> bytes:
    """Return what identifies a request: its session, and its key."""
    return hashlib.blake2b(f"{request.session}\0{request.key}".encode(errors="replace"), digest_size=16).digest()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
