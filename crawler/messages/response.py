"""`Response`: the answer to a request, parsed once and only when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crawler import content, html, urls
from crawler.headers import Headers
from crawler.messages.checks import Handler, handler_name
from crawler.messages.link_filter import NO_FILTER, LinkFilter
from crawler.messages.request import Request, plain_get, set_position
from crawler.messages.values import Retry

if TYPE_CHECKING:
    from crawler.content.link_header import LinkValue
    from crawler.feeds.feed import Feed
    from crawler.html import Link, Selector, SelectorList
    from crawler.messages.form import Form

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
        "_document", "_encoding", "_filter", "_hrefs", "_is_html", "_robots", "_root", "_text",
        "attempt", "body", "elapsed", "first_byte", "headers", "request", "source", "status", "url",
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
        self._filter = NO_FILTER
        self._robots: frozenset[str] | None = None
        self._is_html: bool | None = None
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
            self._encoding = content.detect_encoding(self.body, self.headers.get("content-type"))
        return self._encoding

    @property
    def text(self) -> str:
        """The body as text. Never raises: what cannot be decoded becomes U+FFFD."""
        if self._text is None:
            self._text = content.decode(self.body, self.encoding)
        return self._text

    @property
    def is_html(self) -> bool:
        """Whether the body is HTML: by its ``Content-Type``, without a valid one by how it begins, as browsers do.

        Only of HTML are there links; they are not looked for in anything else.
        """
        if self._is_html is None:
            self._is_html = content.is_html(self.headers.get("content-type", ""), self.body)
        return self._is_html

    @property
    def document(self) -> Any:
        """The parsed tree (turbohtml). XML is read by the rules of HTML; what is no text has an empty tree."""
        if self._document is None:
            if content.is_xhtml(self.headers.get("content-type", "")):
                from crawler.html.xhtml import parse_xhtml  # noqa: PLC0415 - hardly a server sends it

                self._document = parse_xhtml(self.text)
            else:
                body = b"" if not self.is_html and content.is_binary(self.body) else self.body
                self._document = html.parse(body, self.encoding)
        return self._document

    @property
    def selector(self) -> Selector:
        """The root of the parsed body."""
        if self._root is None:
            self._root = html.Selector(root=self.document)
        return self._root

    @property
    def robots(self) -> frozenset[str]:
        """What the page says to robots, in small letters: ``{"noindex", "nofollow"}``.

        It stands in ``X-Robots-Tag`` and ``<meta name="robots">``; what is said to another robot is left out, what is
        said to ours (by the token of `user_agent` that robots.txt goes by) is not. ``none`` is both of the above; a
        value follows its name: ``unavailable_after: 25 jun 2030 15:00:00 pst``.
        """
        if self._robots is None:
            from crawler.html.robots_directives import robots_directives  # noqa: PLC0415 - few crawls ask

            document = self.document if self.is_html else None
            self._robots = robots_directives(self.headers.get_list("x-robots-tag"), document, self._filter.agent)
        return self._robots

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
        return urls.join(
            base, href if href.isascii() or not self.is_html else content.encode_query(href, self.encoding)
        )

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

    def media(self) -> list[str]:
        """The absolute URL of every picture, sound and film of the page, each once, in the order of the page.

        ``src`` of ``img source video audio`` and image buttons, ``poster``, and each candidate of ``srcset`` and
        ``imagesrcset`` that a browser could choose.
        """
        from crawler.html.srcset import media  # noqa: PLC0415 - few crawls ask

        return media(self.document, self.url, self.encoding) if self.is_html else []

    @property
    def link_header(self) -> list[LinkValue]:
        """The links of the ``Link`` field (RFC 8288), in their order; malformed ones are left out."""
        from crawler.content.link_header import parse_link_header  # noqa: PLC0415

        value = self.headers.get("link")
        return parse_link_header(value, self.url) if value else []

    @property
    def canonical(self) -> str | None:
        """The URL that the page wants to be known by: ``rel=canonical`` of its head or of its ``Link`` field."""
        from crawler.html.page_relations import canonical  # noqa: PLC0415

        return canonical(self.document if self.is_html else None, self.link_header, self.url, self.encoding)

    @property
    def alternates(self) -> dict[str, str]:
        """The URL of the page by language, as ``hreflang`` writes that: ``en-GB``, ``x-default``."""
        from crawler.html.page_relations import alternates  # noqa: PLC0415

        return alternates(self.document if self.is_html else None, self.link_header, self.url, self.encoding)

    @property
    def next_page(self) -> str | None:
        """The URL of the next page of a series: ``rel=next`` of ``link a area``, or of the ``Link`` field."""
        return self._related("next")

    @property
    def prev_page(self) -> str | None:
        """The URL of the page before: ``rel=prev``, or ``previous`` as it was called once."""
        return self._related("prev", "previous")

    def _related(self, *relations: str) -> str | None:
        from crawler.html.page_relations import related  # noqa: PLC0415

        document = self.document if self.is_html else None
        return related(document, self.link_header, self.url, *relations, encoding=self.encoding)

    def feed(self) -> Feed:
        """The body as RSS, Atom or JSON Feed.

        Raises:
            ValueError: it is none.
        """
        from crawler.feeds.read import read_feed  # noqa: PLC0415

        feed = read_feed(self.body, self.url, content_type=self.headers.get("content-type"))
        if feed is None:
            raise ValueError(f"the body of {self.url} is no feed")
        return feed

    def form(
        self,
        css: str | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - what HTML calls it
        index: int = 0,
    ) -> Form:
        """A form of the page, by all that is told of it.

        Parameters:
            css: a selector of the form, or of something in it.
            name: its ``name``.
            id: its ``id``.
            index: which of those that fit, from 0.

        Raises:
            ValueError: there is none, or the selector cannot be read.
        """
        from crawler.messages.form import form_of  # noqa: PLC0415

        return form_of(self, css, name, id, index)

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
        return set_position(Request(self.urljoin(href), callback, **options), self.request.depth + 1)

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

        With `obey_nofollow`, so are links that the page does not vouch for.

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
        link_filter = self._filter
        if link_filter.obey_nofollow:
            found = self._vouched(found)
        depth, known, refuses = self.request.depth + 1, link_filter.known, link_filter.refuses
        simple = options.keys().isdisjoint(("method", "body", "json", "data", "params", "dont_filter"))
        name = handler_name("callback", callback, None) if not options else None
        for url in found:
            if simple and url in known:
                link_filter.repeats += 1
            elif simple and (reason := refuses(url, depth)) is not None:
                link_filter.refused.append((reason, url))
            elif options or "@" in url:
                yield set_position(Request(url, callback, **options), depth)
            else:
                yield plain_get(url, name, depth)

    def _vouched(self, found: dict[str, None]) -> dict[str, None]:
        """Without the links that are not to be followed."""
        if "nofollow" in self.robots:
            shunned = frozenset(found)
        else:
            shunned = html.nofollow_urls(self.document, self.url, self.encoding) if self.is_html else frozenset()
        self._filter.refused += [("nofollow", url) for url in found if url in shunned]
        return {url: None for url in found if url not in shunned}

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
        copy._filter = self._filter
        return copy

    def _bind(self, link_filter: LinkFilter) -> None:
        """Give the response what its crawl knows about links, for `follow_all` and `robots`."""
        self._filter = link_filter

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"
