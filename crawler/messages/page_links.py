"""`PageLinks`: the links of a response, and requests that follow them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from crawler import content, html, urls
from crawler.html import Link
from crawler.messages.handlers import Handler, handler_name
from crawler.messages.page_body import PageBody
from crawler.messages.request import Request, plain_get, set_position

__all__ = ["NO_FILTER", "LinkFilter", "PageLinks"]


def _accept(url: str, depth: int) -> None:
    """Refuse no URL."""


class LinkFilter:
    """Decides which links of one page need a request, and records those that do not.

    `Response.follow_all` leaves such links out before it makes a `Request`.
    """

    __slots__ = ("agent", "known", "obey_nofollow", "refused", "refuses", "repeats")

    def __init__(
        self,
        known: Container[str] = frozenset(),
        refuses: Callable[[str, int], str | None] = _accept,
        *,
        agent: str = "",
        obey_nofollow: bool = False,
    ) -> None:
        self.known = known
        self.refuses = refuses
        self.agent = agent
        self.obey_nofollow = obey_nofollow
        self.repeats = 0
        """Number of links that were left out because the crawl has seen them."""
        self.refused: list[tuple[str, str]] = []
        """Reason and URL of each link that was left out because it is out of scope or marked ``nofollow``."""


NO_FILTER: Final = LinkFilter()
"""The filter of responses outside a crawl. It accepts every link, so it counts none."""


LARGE: Final = 1024 * 1024
"""Bytes of a page whose links are read in one step."""


class PageLinks(PageBody):
    """The part of a `Response` that follows links."""

    __slots__ = ("_filter", "_hrefs", "_joiner", "_nofollow", "_robots", "request")

    request: Request
    _filter: LinkFilter
    _robots: frozenset[str] | None
    _nofollow: frozenset[str] | None
    _hrefs: dict[str, None] | None
    _joiner: urls.Joiner | None

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

    def urljoin(self, href: str) -> str:
        """Return the absolute URL of a reference on this page, in canonical form and without its fragment.

        HTML pages may set the base by ``<base href>`` (HTML Standard, "document base URL").

        Raises:
            ValueError: The result is not a web URL.
        """
        url = self._join(href) if isinstance(href, str) else None
        if url is None:
            raise ValueError(f"not a web link: {href!r} on {self.url}")
        return url

    def _join(self, href: str) -> str | None:
        if "://" in href and urls.is_canonical(href):  # such as `Link.url`
            return href
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
        """Parse a page and read its links, step by step if it is larger than a megabyte; `hrefs` has them then.

        ``yield from response.hrefs_in_steps()`` at the beginning of a callback lets other tasks run between the steps.
        A page of a million links takes some two seconds. With the setting `obey_nofollow`, `follow_all` has the links
        that it leaves out, too.
        """
        if self._hrefs is not None or not self._is_large():
            return
        if self._document is None and not content.is_xhtml(self.headers.get("content-type", "")):
            self._document = yield from html.parse_in_steps(self.body, self.encoding)
        yield from (None for _ in self._href_batches())
        if self._filter.obey_nofollow:
            self._nofollow = yield from html.nofollow_steps(self.document, self.url, self.encoding)

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
        marked = self._nofollow
        if marked is None:
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
