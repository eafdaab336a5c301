"""`FakeSite`: a site, or several, made of a dictionary; no network, and delays that pass in virtual time."""

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
"""What may stand at a URL of a `FakeSite`: a body, a `Page`, a list of answers, an exception, or a function."""


@attrs.frozen
class Page:
    """One answer of a `FakeSite`: ``Page("gone", 410)``, ``Page({"id": 7})``, ``Page(status=503, delay=2.0)``."""

    body: Any = b""
    """Text (sent as UTF-8), bytes (sent as they are), or any other value, which is sent as JSON."""
    status: int = 200
    """HTTP status code."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = attrs.field(default=(), kw_only=True)
    """Header fields, in UTF-8. Without a ``Content-Type``, text and bytes are HTML; that of bytes names no encoding."""
    delay: float = attrs.field(default=0.0, kw_only=True)
    """Seconds of trio's clock before the answer comes; infinite: it never does."""

    def response(self, method: str = "GET") -> httpx.Response:
        """The answer as a transport of httpx gives it; that of ``HEAD`` has no body."""
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
    """One request that a `FakeSite` got."""

    at: float
    """Seconds of trio's clock at which it came."""
    method: str
    """HTTP method."""
    url: str
    """What was asked for, in canonical form."""
    headers: Headers
    """Its header fields."""
    body: bytes
    """Its content."""


class FakeSite:
    """Pages by URL, and a log of who asked for them::

        site = FakeSite({
            "/": "<a href='/flaky'>flaky</a> <a href='https://other.test/'>other</a>",
            "/flaky": [Page(status=503), "now it works"],
            "https://other.test/": Page("slow", delay=30.0),
        })
        report = await crawl(FollowEverything(start_urls=["https://site.test/"]), transport=site.transport)
        assert report.pages == 3
        assert len(site.visits("/flaky")) == 2
        assert site.peak["https://other.test"] == 1

    Under pytest-trio's ``autojump_clock`` such a delay takes no time. What is not there is answered with 404,
    ``/robots.txt`` too. A URL with a query that does not stand there itself is answered by the page of its path.

    Parameters:
        pages: by absolute URL, or by path on `host`. A page is its body; a `Page`; a list of pages, of which each is
            given once and the last for good; an exception that the exchange ends with, such as
            ``httpx.ConnectError("refused")``; or a function, also an async one, that makes a page of the
            `httpx.Request`.
        host: scheme, host and port of the pages that are given by their path.

    Raises:
        TypeError: what stands at a URL is no page.
        ValueError: a URL is none.
    """

    def __init__(self, pages: Mapping[str, AnyPage], *, host: str = "https://site.test") -> None:
        self.host = host.rstrip("/")
        self.pages = {self.absolute(url): _checked(page, url) for url, page in pages.items()}
        """What stands where, by canonical URL; may be changed at any time."""
        self.log: list[Visit] = []
        """Every request, in the order in which they came."""
        self.peak: Counter[str] = Counter()
        """The most exchanges at once, by scheme, host and port."""
        self.transport: httpx.AsyncBaseTransport = httpx.MockTransport(self._handle)
        """What to give to `crawl` or to `httpx.AsyncClient`."""
        self._now: Counter[str] = Counter()
        self._given: defaultdict[str, int] = defaultdict(int)

    def absolute(self, url: str) -> str:
        """The canonical URL of a page that is named by its path on `host`."""
        return urls.normalize(self.host + url if url.startswith("/") else url)

    def visits(self, url: str) -> list[Visit]:
        """The requests for one URL, or for a path on `host`, in their order."""
        wanted = self.absolute(url)
        return [visit for visit in self.log if visit.url == wanted]

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        url = urls.normalize(str(request.url))
        fields = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])
        visit = Visit(at=trio.current_time(), method=request.method, url=url, headers=fields, body=request.content)
        self.log.append(visit)
        host = urls.origin(url)
        self._now[host] += 1
        self.peak[host] = max(self.peak[host], self._now[host])
        try:
            page = await self._page(url, request)
            await trio.sleep(page.delay)
        finally:
            self._now[host] -= 1
        return page.response(request.method)

    async def _page(self, url: str, request: httpx.Request) -> Page:
        """What is answered this time."""
        place = url if url in self.pages else url.partition("?")[0]
        page: Any = self.pages.get(place, Page("not found", 404))
        while not isinstance(page, Page):
            if isinstance(page, Exception):
                raise page.with_traceback(None)
            if isinstance(page, (str, bytes)):
                page = Page(page)
            elif callable(page):
                page = page(request)
                page = _checked(await page if inspect.isawaitable(page) else page, place)
            else:
                turn = self._given[place]
                self._given[place] += 1
                page = page[min(turn, len(page) - 1)]
        return page


def _checked(page: Any, url: str) -> Any:
    """`page`, if it is one."""
    if isinstance(page, Sequence) and not isinstance(page, (str, bytes)) and page:
        for turn in page:
            _checked(turn, url)
    elif not isinstance(page, (str, bytes, Page, Exception)) and not callable(page):
        raise TypeError(f"no page stands at {url}: {page!r} (write Page(value) for JSON)")
    return page
