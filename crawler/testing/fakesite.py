"""`FakeSite`: one or more sites defined by a dictionary, without a network and with delays in virtual time."""

from __future__ import annotations

import inspect
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, Union

import attrs
import httpx
import msgspec
import trio

from crawler import urls
from crawler.headers import Headers

__all__ = ["AnyPage", "FakeSite", "Page", "Visit"]

AnyPage: TypeAlias = Union[
    str, bytes, "Page", Sequence["AnyPage"], Exception, Callable[[httpx.Request], "AnyPage | Awaitable[AnyPage]"]
]
"""The page at a URL of a `FakeSite`: a body, a `Page`, a list of pages, an exception, or a function."""


@attrs.frozen
class Page:
    """A response of a `FakeSite`: ``Page("gone", 410)``, ``Page({"id": 7})``, ``Page(status=503, delay=2.0)``."""

    body: Any = b""
    """Text (sent as UTF-8), bytes (sent unchanged), or any other value (sent as JSON)."""
    status: int = 200
    """HTTP status code."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = attrs.field(default=(), kw_only=True)
    """Header fields, sent as UTF-8. The default ``Content-Type`` is JSON, or HTML for text and bytes (for bytes without
    an encoding)."""
    delay: float = attrs.field(default=0.0, kw_only=True)
    """Seconds of trio's clock before the response; infinite means never."""

    def response(self, method: str = "GET") -> httpx.Response:
        """Return the response of an httpx transport. A response to ``HEAD`` has no body."""
        if isinstance(self.body, str):
            kind, content = "text/html; charset=utf-8", self.body.encode()
        elif isinstance(self.body, bytes):
            kind, content = "text/html", self.body
        else:
            kind, content = "application/json", msgspec.json.encode(self.body)
        fields = Headers(self.headers)
        if "content-type" not in fields:
            fields = Headers([*fields.pairs, ("Content-Type", kind)])
        lines = [(name.encode(), value.encode()) for name, value in fields.pairs]
        return httpx.Response(self.status, headers=lines, content=b"" if method == "HEAD" else content)


@attrs.frozen(kw_only=True)
class Visit:
    """A request that a `FakeSite` received."""

    at: float
    """Time of the request, in seconds of trio's clock."""
    method: str
    """HTTP method."""
    url: str
    """The URL in canonical form."""
    headers: Headers
    """The header fields."""
    body: bytes
    """The body."""


class FakeSite:
    """Pages by URL, and a log of the requests for them::

        site = FakeSite({
            "/": "<a href='/flaky'>flaky</a> <a href='https://other.test/'>other</a>",
            "/flaky": [Page(status=503), "now it works"],
            "https://other.test/": Page("slow", delay=30.0),
        })
        report = await crawl(FollowEverything(start_urls=["https://site.test/"]), transport=site.transport)
        assert report.pages == 3
        assert len(site.visits("/flaky")) == 2
        assert site.peak["https://other.test"] == 1

    With pytest-trio's ``autojump_clock``, a delay takes no time. Other URLs are not found (404), including
    ``/robots.txt``. A URL with a query is answered by the page of its path if it has no page of its own.

    Parameters:
        pages: Pages by absolute URL, or by path on `host`. A page is a body; a `Page`; a list of pages, which are sent
            in order and of which the last one is repeated; an exception to raise, such as
            ``httpx.ConnectError("refused")``; or a function, plain or async, that takes an `httpx.Request` and returns
            a page.
        host: Scheme, host and port of the pages that are given by path.

    Raises:
        TypeError: A page has none of these forms.
        ValueError: A URL is invalid.
    """

    def __init__(self, pages: Mapping[str, AnyPage], *, host: str = "https://site.test") -> None:
        self.host = host.rstrip("/")
        self.pages = {self.absolute(url): _checked(page, url) for url, page in pages.items()}
        """The pages by canonical URL. They may be changed at any time."""
        self.log: list[Visit] = []
        """All requests, in order."""
        self.peak: Counter[str] = Counter()
        """The largest number of simultaneous requests, by scheme, host and port."""
        self.transport: httpx.AsyncBaseTransport = httpx.MockTransport(self._handle)
        """A transport for `crawl` or `httpx.AsyncClient`."""
        self._in_flight: Counter[str] = Counter()
        self._sent: defaultdict[str, int] = defaultdict(int)

    def absolute(self, url: str) -> str:
        """Return the canonical URL of a page. A path is taken to be on `host`."""
        return urls.normalize(self.host + url if url.startswith("/") else url)

    def visits(self, url: str) -> list[Visit]:
        """Return the requests for a URL, or for a path on `host`, in order."""
        wanted = self.absolute(url)
        return [visit for visit in self.log if visit.url == wanted]

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        url = urls.normalize(str(request.url))
        fields = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])
        visit = Visit(at=trio.current_time(), method=request.method, url=url, headers=fields, body=request.content)
        self.log.append(visit)
        host = urls.origin(url)
        self._in_flight[host] += 1
        self.peak[host] = max(self.peak[host], self._in_flight[host])
        try:
            page = await self._page(url, request)
            await trio.sleep(page.delay)
        finally:
            self._in_flight[host] -= 1
        return page.response(request.method)

    async def _page(self, url: str, request: httpx.Request) -> Page:
        """Return the page for a request. Lists, functions and exceptions are resolved."""
        key = url if url in self.pages else url.partition("?")[0]
        page: Any = self.pages.get(key, Page("not found", 404))
        while not isinstance(page, Page):
            if isinstance(page, Exception):
                raise page.with_traceback(None)
            if isinstance(page, (str, bytes)):
                page = Page(page)
            elif callable(page):
                page = page(request)
                page = _checked(await page if inspect.isawaitable(page) else page, key)
            else:
                number = self._sent[key]
                self._sent[key] += 1
                page = page[min(number, len(page) - 1)]
        return page


def _checked(page: Any, url: str) -> Any:
    """Return `page` unchanged if it has one of the forms of a page."""
    if isinstance(page, Sequence) and not isinstance(page, (str, bytes)) and page:
        for one in page:
            _checked(one, url)
    elif not isinstance(page, (str, bytes, Page, Exception)) and not callable(page):
        raise TypeError(f"not a page for {url}: {page!r} (use Page(value) for JSON)")
    return page
