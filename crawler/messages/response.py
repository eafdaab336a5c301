"""`Response`: the response to a request. Its body is parsed at most once, on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from crawler import urls
from crawler.headers import Headers
from crawler.messages.page_content import PageContent
from crawler.messages.page_links import NO_FILTER, LinkFilter
from crawler.messages.request import Request
from crawler.messages.values import Retry
from crawler.redaction import redact
from crawler.walls.suspicion import may_be_wall

if TYPE_CHECKING:
    from crawler.html import Selector
    from crawler.messages.exchange import Exchange
    from crawler.walls.wall import Wall

__all__ = ["Response"]


class Response(PageContent):
    """The response to a request. Its body is parsed at most once, on first use.

    Parameters:
        url: The URL that responded.
        status: HTTP status code.
        headers: Header fields as received.
        body: Decoded content. Text is encoded as UTF-8.
        request: The request that this responds to. Default: a GET of `url`.
        elapsed: Seconds from the start of the exchange to its last byte.
        attempt: The number of this attempt, from 1.
        source: ``network``, or the name of the plugin that supplied the response.
    """

    __slots__ = (
        "_exchange", "_wall", "_wire", "attempt", "complete", "elapsed", "first_byte", "original", "pdf", "screenshot",
        "source", "stages", "status",
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        status: int = 200,
        headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        *,
        request: Request | None = None,
        elapsed: float = 0.0,
        attempt: int = 1,
        source: str = "network",
    ) -> None:
        self.url = url
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body.encode() if isinstance(body, str) else body
        self.request = Request(url) if request is None else request
        self.elapsed = elapsed
        self.attempt = attempt
        self.source = source
        self.complete = True
        """Whether the body came whole; it did not with the setting ``incomplete="keep"`` only."""
        self.first_byte = elapsed
        """Seconds from the end of sending to the first byte of the response."""
        self.stages: Mapping[str, float] | None = None
        """Seconds of each stage of the exchange, as far as the transport knows them: ``dns``, ``connect``, ``tls``,
        ``first_byte`` and ``body``. A kept connection has no `connect` and `tls`. `None` unless `Plugin.wants_stages`
        asks for them."""
        self.original: Response | None = None
        """The response of the server, if a plugin made this response from it, as `browser` does when it renders."""
        self.screenshot: bytes | None = None
        """The page as PNG, if the plugin `browser` took a picture."""
        self.pdf: bytes | None = None
        """The page as PDF, if the plugin `browser` printed it."""
        self._filter = NO_FILTER
        self._robots: frozenset[str] | None = None
        self._is_html: bool | None = None
        self._encoding: str | None = None
        self._text: str | None = None
        self._document: Any = None
        self._root: Selector | None = None
        self._nofollow: frozenset[str] | None = None
        self._hrefs: dict[str, None] | None = None
        self._joiner: urls.Joiner | None = None
        self._exchange: tuple[Any, ...] | None = None
        self._wire: Exchange | None = None
        self._wall: Wall | Literal[False] | None = False

    @property
    def wire(self) -> Exchange | None:
        """The exchange with the server: protocol, address and bytes.

        `None` if a plugin or a caller made the response, or if its body was written elsewhere or left unread. The value
        is made on first use. `Plugin.wants_wire` asks for the coded body as well.
        """
        if self._wire is None and self._exchange is not None:
            from crawler.messages.exchange import Exchange  # noqa: PLC0415 - few crawls need it

            *head, body, is_complete = self._exchange
            self._wire = Exchange.of(*head, body=body, is_complete=is_complete)
        return self._wire

    @property
    def wall(self) -> Wall | None:
        """The wall that takes the place of the page, with its `kind` and `vendor`; `None` if this is the page.

        The kinds are ``challenge``, ``login``, ``consent``, ``javascript`` and ``parked``. A callback
        gets a wall only if the setting `accept_walls` or the request asks for it.
        """
        if self._wall is False:
            self._wall, redirects = None, self.request.redirects
            if may_be_wall(self.status, self.body, is_redirected=bool(redirects)):
                from crawler.walls.wall import find_wall  # noqa: PLC0415 - most pages need no look

                self._wall = find_wall(self.url, self.status, self.headers, self.body, redirects, is_html=self.is_html)
        return self._wall

    @property
    def meta(self) -> dict[str, Any]:
        """`Request.meta` of the request."""
        return self.request.meta

    @property
    def cb_kwargs(self) -> dict[str, Any]:
        """`Request.cb_kwargs` of the request."""
        return self.request.cb_kwargs

    @property
    def redirects(self) -> tuple[str, ...]:
        """The URLs that redirected to this one, first to last."""
        return self.request.redirects

    @property
    def depth(self) -> int:
        """Links between a start page and this page. A start page has depth 0."""
        return self.request.depth

    def defer(self, seconds: float, reason: str = "deferred") -> Retry:
        """Return a value that a callback returns or yields to get this page again later.

        The callback's other results are discarded, and an attempt is used up.

        Parameters:
            seconds: Minimum wait before the next attempt.
            reason: Reason for the log, in a word or two.
        """
        return Retry(reason, after=seconds)

    def replace(self, **changes: Any) -> Response:
        """Return a copy with some constructor arguments changed."""
        names = ("url", "status", "headers", "body", "request", "elapsed", "attempt", "source")
        copy = Response(**({name: getattr(self, name) for name in names} | changes))
        copy.complete = self.complete
        copy.first_byte = self.first_byte
        copy.stages = self.stages
        copy.original, copy.screenshot, copy.pdf = self.original, self.screenshot, self.pdf
        copy._filter = self._filter
        copy._exchange = self._exchange
        return copy

    def _bind(self, link_filter: LinkFilter) -> None:
        """Attach the link filter and the product token of the crawl, for `follow_all` and `robots`."""
        self._filter = link_filter

    def __repr__(self) -> str:
        return f"<Response {self.status} {redact(self.url)}>"
