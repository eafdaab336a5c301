"""`Response`: the answer to a request, parsed once and only when asked."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crawler import html, urls
from crawler.headers import Headers
from crawler.messages.checks import Handler
from crawler.messages.request import Request
from crawler.messages.values import Retry

if TYPE_CHECKING:
    from crawler.html import Link, Selector, SelectorList

__all__ = ["Response"]


class Response:
    """The answer to a request. Its body is parsed once, and only when asked.

    Parameters:
        url: the URL that answered.
        status: HTTP status code.
        headers: header fields as they were received.
        body: decoded content, bytes.
        request: what was asked.
        elapsed: seconds from the start of the exchange to its last byte.
        attempt: how many attempts it took, from 1.
        source: ``network``, or the name of the plugin that answered.
    """

    __slots__ = (
        "_document", "_encoding", "_hrefs", "_known", "_refuses", "_root", "_text",
        "attempt", "body", "elapsed", "first_byte",
        "headers", "refused", "repeats", "request", "source", "status", "url",
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
        self.first_byte = elapsed
        """Seconds between sending and the first byte of the answer."""
        self.repeats = 0
        """Links that were left out since they are known."""
        self.refused: list[tuple[str, str]] = []
        """Links that were left out since they are out of scope: reason and URL."""
        self._known: Container[str] = frozenset()
        self._refuses: Callable[[str, int], str | None] = _nothing
        self._encoding: str | None = None
        self._text: str | None = None
        self._document: Any = None
        self._root: Selector | None = None
        self._hrefs: dict[str, None] | None = None

    @property
    def meta(self) -> dict[str, Any]:
        """`Request.meta` of what was asked."""
        return self.request.meta

    @property
    def cb_kwargs(self) -> dict[str, Any]:
        """`Request.cb_kwargs` of what was asked."""
        return self.request.cb_kwargs

    @property
    def redirects(self) -> tuple[str, ...]:
        """The URLs that redirected here, first to last."""
        return self.request.redirects

    @property
    def depth(self) -> int:
        """Links between a start page and this one."""
        return self.request.depth

    @property
    def encoding(self) -> str:
        """The encoding of the body by its WHATWG name: byte order mark > header > meta, XML declaration > detection."""
        if self._encoding is None:
            self._encoding = html.decode_label(self.body, self.headers.get("content-type"))
        return self._encoding

    @property
    def text(self) -> str:
        """The body as text. Never raises: what cannot be decoded becomes U+FFFD."""
        if self._text is None:
            self._text = html.decode(self.body, self.encoding)
        return self._text

    @property
    def is_html(self) -> bool:
        """Whether the body is HTML: by its ``Content-Type``, without a valid one by how it begins, as browsers do.

        Only of HTML are there links; they are not looked for in anything else.
        """
        return html.is_html(self.headers.get("content-type", ""), self.body)

    @property
    def document(self) -> Any:
        """The parsed tree (turbohtml). XML is read by the rules of HTML; what is no text has an empty tree."""
        if self._document is None:
            body = b"" if not self.is_html and html.is_binary(self.body) else self.body
            self._document = html.parse(body, self.encoding)
        return self._document

    @property
    def selector(self) -> Selector:
        """The root of the parsed body."""
        if self._root is None:
            self._root = html.Selector(root=self.document)
        return self._root

    def css(self, query: str) -> SelectorList:
        """Elements, ``::text`` and ``::attr(name)`` by a CSS selector.

        Raises:
            ValueError: the selector cannot be read.
        """
        return self.selector.css(query)

    def xpath(self, query: str, **variables: Any) -> SelectorList:
        """Nodes and values by an XPath 1.0 expression.

        Raises:
            ValueError: the expression cannot be read.
        """
        return self.selector.xpath(query, **variables)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        try:
            return msgspec.json.decode(self.text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise ValueError(f"the body of {self.url} is not JSON: {error}") from None

    def jmespath(self, expression: str) -> SelectorList:
        """Values of the JSON body by a JMESPath expression (extra ``jmespath``)."""
        return html.Selector(root=self.json()).jmespath(expression)

    def urljoin(self, href: str) -> str:
        """The absolute URL that `href` means on this page, ``<base>`` heeded.

        Raises:
            ValueError: it is no web URL.
        """
        url = self._join(self._base(), href)
        if url is None:
            raise ValueError(f"not a web link: {href!r} on {self.url}")
        return url

    def _join(self, base: str, href: str) -> str | None:
        return urls.join(base, href if href.isascii() or not self.is_html else html.encode_query(href, self.encoding))

    def _base(self) -> str:
        return html.base_url(self.document, self.url) if self.is_html else self.url

    def hrefs(self) -> list[str]:
        """The absolute URL of every ``<a href>``, without fragment, each once, in the order of the page."""
        return list(self._found())

    def _found(self) -> dict[str, None]:
        if self._hrefs is None:
            self._hrefs = dict.fromkeys(
                html.hrefs(self.document, self.url, ("a",), self.encoding) if self.is_html else ()
            )
        return self._hrefs

    def links(self) -> list[Link]:
        """Every ``a area link iframe frame`` that leads to a web URL, in the order of the page."""
        return html.links(self.document, self.url, self.encoding) if self.is_html else []

    def follow(self, target: Any, callback: Handler = None, **options: Any) -> Request:
        """A request for a link of this page, one link deeper.

        Parameters:
            target: an href, a `Link`, or a selector of an element that links.
            callback: as of `Request`; `options` are its other arguments.

        Raises:
            ValueError: it is no web link.
        """
        href = html.href_of(target)
        if href is None:
            raise ValueError(f"not a web link: {target!r} on {self.url}")
        return Request(self.urljoin(href), callback, **options).moved(self.request.depth + 1)

    def follow_all(
        self,
        targets: str | Iterable[Any] | None = None,
        callback: Handler = None,
        *,
        css: str | None = None,
        xpath: str | None = None,
        **options: Any,
    ) -> Iterator[Request]:
        """Requests for many links of this page; repeats, and what is known already, are left out before they are made.

        Parameters:
            targets: a CSS selector (``"li.next a"``), or hrefs, links or selectors; default every ``<a href>``.
            css, xpath: the same by a named language.
            callback: as of `Request`; `options` are its other arguments.
        """
        if isinstance(targets, str):
            css, targets = targets, None
        if targets is None and xpath is not None:
            targets = self.xpath(xpath)
        elif targets is None and css not in (None, "a", "a[href]"):
            targets = self.css(css)
        found = self._found() if targets is None else self._joined(targets)
        depth, known = self.request.depth + 1, self._known
        simple = options.keys().isdisjoint(("method", "body", "json", "data", "params", "dont_filter"))
        for url in found:
            if simple and url in known:
                self.repeats += 1
            elif simple and (reason := self._refuses(url, depth)) is not None:
                self.refused.append((reason, url))
            else:
                yield Request(url, callback, **options).moved(depth)

    def _joined(self, targets: Iterable[Any]) -> dict[str, None]:
        base = self._base()
        absolute = self._hrefs or {}
        urls_found: dict[str, None] = {}
        for target in targets:
            href = target if isinstance(target, str) else html.href_of(target)
            url = href if href is None or href in absolute else self._join(base, href)
            if url is not None:
                urls_found[url] = None
        return urls_found

    def defer(self, seconds: float, reason: str = "deferred") -> Retry:
        """What a callback yields to have this page again later: its own results are dropped, an attempt is used up.

        Parameters:
            seconds: the shortest wait before the next attempt.
            reason: a word for the log.
        """
        return Retry(reason, after=seconds)

    def replace(self, **changes: Any) -> Response:
        """A copy with some constructor arguments changed."""
        names = ("url", "status", "headers", "body", "request", "elapsed", "attempt", "source")
        copy = Response(**({name: getattr(self, name) for name in names} | changes))
        copy.first_byte = self.first_byte
        copy.within(self._known, self._refuses)
        return copy

    def within(self, known: Container[str], refuses: Callable[[str, int], str | None]) -> None:
        """Tells the response what its crawl knows, so that `follow_all` need not make requests in vain.

        Parameters:
            known: keys of requests that are known.
            refuses: why a URL, so many links deep, is out of scope; `None`: it is not.
        """
        self._known, self._refuses = known, refuses

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"


def _nothing(url: str, depth: int) -> None:
    """Nothing is out of scope."""
