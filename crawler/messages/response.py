"""`Response`: the response to a request. Its body is parsed at most once, on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from crawler import content, html, urls
from crawler.headers import Headers
from crawler.html import Link
from crawler.logs import get_logger
from crawler.messages.checks import Handler, handler_name
from crawler.messages.link_filter import NO_FILTER, LinkFilter
from crawler.messages.request import Request, plain_get, set_position
from crawler.messages.values import Retry
from crawler.redaction import redact

if TYPE_CHECKING:
    from crawler.content.link_header import LinkValue
    from crawler.feeds.feed import Feed
    from crawler.html import Selector, SelectorList
    from crawler.html.article import Article
    from crawler.html.page_data import PageData
    from crawler.messages.exchange import Exchange
    from crawler.messages.form import Form

__all__ = ["Response"]

LARGE: Final = 1024 * 1024
"""Bytes of a page whose links are read in one step."""
MAX_READ_TAGS: Final = 500_000
"""Tags of a page in whose beginning `markdown`, `article`, `data` and `form` look. The HTML Standard has some 400,000.
More would block the event loop for seconds."""
log = get_logger("crawler.messages")


class Response:
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
        "_document", "_encoding", "_exchange", "_filter", "_hrefs", "_is_html", "_joiner", "_robots", "_root", "_text",
        "_wire", "attempt", "body", "elapsed", "first_byte", "headers", "original", "pdf", "request", "screenshot",
        "source", "stages", "status", "url",
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
        """Seconds from the end of sending to the first byte of the response."""
        self.stages: Mapping[str, float] | None = None
        """Seconds of each stage of the exchange, as far as the transport knows them: ``dns``, ``connect``, ``tls``,
        ``first_byte`` and ``body``. A kept connection has no `connect` and `tls`. `None` unless `Plugin.wants_stages`
        asks for them."""
        self.original: Response | None = None
        """The response of the server, if a plugin made this one of it: `browser`, which renders pages."""
        self.screenshot: bytes | None = None
        """The page as PNG, if the plugin `browser` took a picture."""
        self.pdf: bytes | None = None
        """The page as it is printed, if the plugin `browser` did that."""
        self._filter = NO_FILTER
        self._robots: frozenset[str] | None = None
        self._is_html: bool | None = None
        self._encoding: str | None = None
        self._text: str | None = None
        self._document: Any = None
        self._root: Selector | None = None
        self._hrefs: dict[str, None] | None = None
        self._joiner: urls.Joiner | None = None
        self._exchange: tuple[Any, ...] | None = None
        self._wire: Exchange | None = None

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

    @property
    def encoding(self) -> str:
        """WHATWG name of the character encoding, in lower case.

        It is determined in the order that browsers use (HTML Standard, "determining the character encoding"): byte
        order mark, ``Content-Type`` header, ``<meta>`` element or XML declaration, detection by content.
        """
        if self._encoding is None:
            self._encoding = content.detect_encoding(self.body, self.headers.get("content-type"))
        return self._encoding

    @property
    def text(self) -> str:
        """The body as text. Undecodable bytes become U+FFFD; decoding never raises."""
        if self._text is None:
            self._text = content.decode(self.body, self.encoding)
        return self._text

    @property
    def is_html(self) -> bool:
        """Whether the body is HTML.

        Its ``Content-Type`` decides; without a valid one its first bytes do, as in browsers (MIME Sniffing Standard).
        Other bodies have no links: `links`, `hrefs` and `follow_all` find none.
        """
        if self._is_html is None:
            self._is_html = content.is_html(self.headers.get("content-type", ""), self.body)
        return self._is_html

    @property
    def document(self) -> Any:
        """The parsed tree, a `turbohtml.Document`. The tree of binary data is empty.

        XML is parsed by the rules of HTML, except XHTML; `selector`, `css` and `xpath` parse it as XML.
        """
        if self._document is None:
            if content.is_xhtml(self.headers.get("content-type", "")):
                from crawler.html.xhtml import parse_xhtml  # noqa: PLC0415 - few servers send it

                self._document = parse_xhtml(self.text)
            else:
                body = b"" if not self.is_html and content.is_binary(self.body) else self.body
                self._document = html.parse(body, self.encoding)
        return self._document

    def _beginning(self) -> Any:
        """Return the parsed tree; of a page with too many tags to rearrange its tree, that of its beginning."""
        if not self.is_html:
            return html.parse(b"", "utf-8")
        most = MAX_READ_TAGS  # a tag has three bytes at least: most pages need no count
        if len(self.body) > 3 * most and self.body.count(b"<") > most and self.text.count("<") > most:
            log.warning("%s has very many tags: its content is read from the first %d", redact(self.url), MAX_READ_TAGS)
            return html.parse_text(html.cut_tags(self.text, MAX_READ_TAGS))
        return self.document

    @property
    def selector(self) -> Selector:
        """A `Selector` for the root of the parsed body, of XML an `XmlSelector`.

        XML is recognised by its ``Content-Type``; other text that is not HTML, by an XML declaration.
        """
        if self._root is None:
            if self.is_html or not content.is_xml(self.headers.get("content-type", ""), self.body):
                self._root = html.Selector(root=self.document)
            else:
                self._root = html.XmlSelector(self.text)
        return self._root

    @property
    def robots(self) -> frozenset[str]:
        """The robots directives of the page, in lower case: ``{"noindex", "nofollow"}``.

        They come from ``X-Robots-Tag`` header fields and ``<meta name="robots">`` elements. Directives for another
        robot are left out; those for the product token of `Settings.user_agent`, which robots.txt groups match, are
        included. ``none`` is given as ``noindex`` and ``nofollow``. A directive with a value keeps it:
        ``unavailable_after: 25 jun 2030 15:00:00 pst``.
        """
        if self._robots is None:
            from crawler.html.robots_directives import robots_directives  # noqa: PLC0415 - few crawls need it

            document = self.document if self.is_html else None
            self._robots = robots_directives(self.headers.get_list("x-robots-tag"), document, self._filter.agent)
        return self._robots

    def css(self, query: str) -> SelectorList:
        """Select elements, attributes (``::attr(name)``) or texts directly in elements (``::text``) by a CSS selector.

        `Selector.text` is all text of an element, that of its descendants included.

        Raises:
            ValueError: The selector is invalid.
        """
        return self.selector.css(query)

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any) -> SelectorList:
        """Select nodes and values by an XPath 1.0 expression.

        Parameters:
            query: The expression.
            namespaces: Prefixes of the expression and their namespaces, in XML.
            variables: Values of its ``$name`` variables.

        Raises:
            ValueError: The expression is invalid.
        """
        return self.selector.xpath(query, namespaces, **variables)

    def json(self) -> Any:
        """Return the body parsed as JSON.

        Raises:
            ValueError: The body is not valid JSON.
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
        """Select values of the JSON body by a JMESPath expression. It needs the extra ``jmespath``.

        Raises:
            ValueError: The body is not valid JSON, or the expression is invalid.
            ImportError: jmespath is not installed.
        """
        return html.Selector(root=self.json()).jmespath(expression)

    def urljoin(self, href: str) -> str:
        """Return the absolute URL of a reference on this page, in canonical form and without its fragment.

        HTML pages may set the base by ``<base href>`` (HTML Standard, "document base URL").

        Raises:
            ValueError: The result is not a web URL.
        """
        url = self._join(href)
        if url is None:
            raise ValueError(f"not a web link: {href!r} on {self.url}")
        return url

    def _join(self, href: str) -> str | None:
        joiner = self._joiner
        if joiner is None:
            base = html.base_url(self.document, self.url) if self.is_html else self.url
            joiner = self._joiner = urls.Joiner(base)
        if not href.isascii() and self.is_html:
            href = content.encode_query(href, self.encoding)
        return joiner.join(href)

    def is_known(self, url: str) -> bool:
        """Return whether the crawl has certainly seen a GET request for a URL, so that none need be made.

        Parameters:
            url: An absolute URL in canonical form, as `urljoin` and `Request.url` have it.
        """
        return url in self._filter.known

    def hrefs(self) -> list[str]:
        """Return the absolute URL of every ``<a href>``, without fragment and repeats, in document order."""
        return list(self._unique_hrefs())

    def _unique_hrefs(self) -> dict[str, None]:
        if self._hrefs is None:
            self._hrefs = dict.fromkeys(
                html.hrefs(self.document, self.url, ("a",), self.encoding) if self.is_html else ()
            )
        return self._hrefs

    def hrefs_in_steps(self) -> Iterator[None]:
        """Read the links of a page, step by step if it is larger than a megabyte; `hrefs` has them then.

        ``yield from response.hrefs_in_steps()`` at the beginning of a callback lets other tasks run between the steps.
        A page of a million links takes some two seconds.
        """
        if self._hrefs is None and self._is_large():
            yield from (None for _ in self._href_batches())

    def _href_batches(self) -> Iterator[list[str]]:
        """Yield the URLs of `hrefs` in parts, as they are joined, and keep them in the end."""
        document, found = self.document, dict[str, None]()
        yield []
        for batch in html.href_batches(document, self.url, ("a",), self.encoding):
            new = dict.fromkeys(url for url in batch if url not in found)
            found |= new
            yield list(new)
        self._hrefs = found

    def _is_large(self) -> bool:
        return len(self.body) > LARGE and self.is_html

    def links(self) -> list[Link]:
        """Return every ``a area link iframe frame`` that leads to a web URL, in document order."""
        return html.links(self.document, self.url, self.encoding) if self.is_html else []

    def media(self) -> list[str]:
        """Return the absolute URL of every image, audio and video file of the page, without repeats, in document order.

        They are read from ``src`` of ``img``, ``source``, ``video``, ``audio`` and image buttons, from ``poster``, and
        from ``srcset`` and ``imagesrcset`` with every candidate that a browser could choose.
        """
        from crawler.html.srcset import media  # noqa: PLC0415 - few crawls need it

        return media(self.document, self.url, self.encoding) if self.is_html else []

    @property
    def link_header(self) -> list[LinkValue]:
        """The links of the ``Link`` header field (RFC 8288), in order. Malformed ones are skipped."""
        from crawler.content.link_header import parse_link_header  # noqa: PLC0415

        value = self.headers.get("link")
        return parse_link_header(value, self.url) if value else []

    @property
    def canonical(self) -> str | None:
        """The preferred URL of the page (RFC 6596); `None` if it names none.

        It is read from ``rel=canonical`` in the ``<head>`` or the ``Link`` header field.
        """
        from crawler.html.page_relations import canonical  # noqa: PLC0415

        return canonical(self.document if self.is_html else None, self.link_header, self.url, self.encoding)

    @property
    def alternates(self) -> dict[str, str]:
        """URLs of the page in other languages, by ``hreflang`` as written: ``en-GB``, ``x-default``."""
        from crawler.html.page_relations import alternates  # noqa: PLC0415

        return alternates(self.document if self.is_html else None, self.link_header, self.url, self.encoding)

    @property
    def next_page(self) -> str | None:
        """URL of the next page of a series; `None` if there is none.

        It is read from ``rel=next`` of a ``link``, ``a`` or ``area``, or of the ``Link`` header field.
        """
        return self._related("next")

    @property
    def prev_page(self) -> str | None:
        """URL of the previous page of a series; `None` if there is none.

        It is read from ``rel=prev``, or its old name ``rel=previous``, in the same places as `next_page`.
        """
        return self._related("prev", "previous")

    def _related(self, *relations: str) -> str | None:
        from crawler.html.page_relations import related  # noqa: PLC0415

        document = self.document if self.is_html else None
        return related(document, self.link_header, self.url, *relations, encoding=self.encoding)

    def markdown(self, *, whole: bool = False) -> str:
        """Return the main content of the page as GitHub Flavored Markdown, without navigation.

        Links and images have absolute http or https URLs; other links are left out, and their text stays. There is no
        raw HTML except ``<br>`` in tables. A body of type ``text/markdown`` is returned as it is, other text as a code
        block, binary data as an empty string.

        Parameters:
            whole: Whether to return everything that readers see, with navigation.
        """
        from crawler.html import markdown as rendering  # noqa: PLC0415 - few crawls need it

        if not self.is_html:
            if content.is_binary(self.body):
                return ""
            essence = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            return self.text if essence == "text/markdown" else rendering.fenced(self.text)
        from crawler.html.main_content import main_content, whole_content  # noqa: PLC0415

        part = (whole_content if whole else main_content)(self._beginning(), self.url, self.encoding)
        return "" if part is None else rendering.markdown(part)

    def article(self) -> Article:
        """Return the main content of the page and what the page says about it: title, byline, date, language.

        The content is that of ``<main>``, a single ``<article>`` or, without them, the smallest element with nearly all
        of the text. All fields of a body that is not HTML are empty.
        """
        from crawler.html.article import article  # noqa: PLC0415 - few crawls need it

        return article(self._beginning(), self.url, self.encoding, self.headers.get("content-language"))

    def data(self) -> PageData:
        """Return what the page says about itself to machines: JSON-LD, OpenGraph, microdata and RDFa.

        Broken JSON-LD blocks are left out. All values survive JSON, so the result can be yielded as an item.
        """
        from crawler.html.page_data import page_data  # noqa: PLC0415 - few crawls need it

        return page_data(self._beginning(), self.url)

    def feed(self) -> Feed:
        """Return the body parsed as RSS, Atom or JSON Feed.

        Raises:
            ValueError: The body is not a feed.
        """
        from crawler.feeds.read import read_feed  # noqa: PLC0415

        feed = read_feed(self.body, self.url, content_type=self.headers.get("content-type"))
        if feed is None:
            raise ValueError(f"the body of {self.url} is not a feed")
        return feed

    def form(
        self,
        css: str | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name of the attribute
        index: int = 0,
    ) -> Form:
        """Return the form of the page that matches all given criteria.

        Parameters:
            css: A CSS selector of the form, or of an element inside it.
            name: The form's ``name``.
            id: The form's ``id``.
            index: Position among the forms that match, from 0.

        Raises:
            ValueError: No form matches, or the selector is invalid.
        """
        from crawler.messages.form import form_of  # noqa: PLC0415

        return form_of(self, self._beginning() if self.is_html else self.document, css, name, id, index)

    def follow(self, target: Any, callback: Handler = None, **options: Any) -> Request:
        """Return a request for a link of this page. Its depth is one more than that of the page.

        Parameters:
            target: A URL reference, a `Link`, or a `Selector` of a linking element.
            callback: See `Request`.
            options: Further arguments of `Request`.

        Raises:
            ValueError: The target does not lead to a web URL.
        """
        url = target.url if type(target) is Link else self._url_of(target)
        if options or "@" in url:
            return set_position(Request(url, callback, **options), self.request.depth + 1)
        name = None if callback is None else handler_name("callback", callback, None)
        return plain_get(url, name, self.request.depth + 1)

    def _url_of(self, target: Any) -> str:
        href = target if isinstance(target, str) else html.href_of(target)
        url = None if href is None else self._join(href)
        if url is None:
            raise ValueError(f"not a web link: {target!r} on {self.url}")
        return url

    def follow_all(
        self,
        targets: str | Iterable[Any] | None = None,
        callback: Handler = None,
        *,
        css: str | None = None,
        xpath: str | None = None,
        **options: Any,
    ) -> Iterator[Request]:
        """Yield requests for links of this page. Their depth is one more than that of the page.

        Repeats, links that the crawl has seen and links out of scope are left out before a request is made. With the
        setting `obey_nofollow`, links marked ``nofollow``, ``ugc`` or ``sponsored`` are left out, too.

        Parameters:
            targets: A CSS selector (``"li.next a"``), or an iterable of URL references, links or selectors. Default:
                every ``<a href>``.
            callback: See `Request`.
            css: A CSS selector, instead of `targets`.
            xpath: An XPath expression, instead of `targets`.
            options: Further arguments of `Request`.
        """
        if isinstance(targets, str):
            css, targets = targets, None
        if targets is None and xpath is not None:
            targets = self.xpath(xpath)
        elif targets is None and css not in (None, "a", "a[href]"):
            targets = self.css(css)
        found: Iterable[str]
        if targets is not None:
            found = self._joined(targets)
        elif self._hrefs is None and self._is_large():
            found = chain.from_iterable(self._href_batches())
        else:
            found = self._unique_hrefs()
        link_filter = self._filter
        if link_filter.obey_nofollow:
            found = self._without_nofollow(found)
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

    def _without_nofollow(self, found: Iterable[str]) -> Iterator[str]:
        """Leave out the links that the page marks as not to be followed."""
        page_forbids = "nofollow" in self.robots
        marked = html.nofollow_urls(self.document, self.url, self.encoding) if self.is_html else frozenset()
        for url in found:
            if page_forbids or url in marked:
                self._filter.refused.append(("nofollow", url))
            else:
                yield url

    def _joined(self, targets: Iterable[Any]) -> Iterator[str]:
        """Yield the URL of each target once, as it is asked for: a page may have a million of them."""
        seen: set[str] = set()
        for target in targets:
            href = target if isinstance(target, str) else html.href_of(target)
            url = None if href is None else self._join(href)
            if url is not None and url not in seen:
                seen.add(url)
                yield url

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
        copy.first_byte = self.first_byte
        copy.stages = self.stages
        copy.original, copy.screenshot, copy.pdf = self.original, self.screenshot, self.pdf
        copy._filter = self._filter
        copy._exchange = self._exchange
        return copy

    def _bind(self, link_filter: LinkFilter) -> None:
        """Attach the knowledge of the crawl about links, for `follow_all` and `robots`."""
        self._filter = link_filter

    def __repr__(self) -> str:
        return f"<Response {self.status} {redact(self.url)}>"
