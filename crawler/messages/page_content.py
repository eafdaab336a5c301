"""`PageContent`: the content of a page, for readers and for machines: text, data, relations, feeds, forms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from crawler import content
from crawler.errors import IncompleteBody
from crawler.messages.page_links import PageLinks

if TYPE_CHECKING:
    from crawler.content.link_header import LinkValue
    from crawler.feeds.feed import Feed
    from crawler.html.article import Article
    from crawler.html.page_data import PageData
    from crawler.messages.form import Form
    from crawler.messages.response import Response

__all__ = ["PageContent"]


class PageContent(PageLinks):
    """The part of a `Response` that reads the content of a page."""

    __slots__ = ()

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
        """Return the main content of the page and its facts: title, authors, dates, language, site, image, tags.

        The content is that of ``<main>``, a single ``<article>`` or, without them, the smallest element with nearly all
        of the text. All fields of a body that is not HTML are empty.
        """
        from crawler.html.article import article  # noqa: PLC0415 - few crawls need it

        return article(self._beginning(), self.url, self.encoding, self.headers.get("content-language"))

    def data(self) -> PageData:
        """Return the structured data of the page: JSON-LD, OpenGraph, Dublin Core, microdata, RDFa and microformats.

        JSON-LD with comments or trailing commas is repaired; blocks that stay broken are left out. All values
        survive JSON, so the result can be yielded as an item.
        """
        from crawler.html.page_data import page_data  # noqa: PLC0415 - few crawls need it

        return page_data(self._beginning(), self.url)

    def feed(self) -> Feed:
        """Return the body parsed as RSS, Atom or JSON Feed.

        Raises:
            ValueError: The body is not a feed.
            IncompleteBody: The feed stops in the middle, and `complete` is true. It is a `ValueError`, too.
        """
        from crawler.content.gunzip import is_cut  # noqa: PLC0415
        from crawler.feeds.read import read_feed  # noqa: PLC0415

        feed = read_feed(self.body, self.url, content_type=self.headers.get("content-type"))
        if feed is None:
            raise ValueError(f"the body of {self.url} is not a feed")
        page = cast("Response", self)
        if page.complete and is_cut(feed.fault):
            raise IncompleteBody(f"the feed {self.url} stops in the middle: {feed.fault}", request=page.request)
        return feed

    def form(
        self,
        css: str | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name of the attribute
        fields: Iterable[str] = (),
        index: int = 0,
    ) -> Form:
        """Return the form of the page that matches all given criteria.

        Parameters:
            css: A CSS selector of the form, or of an element inside it.
            name: The form's ``name``.
            id: The form's ``id``.
            fields: Names of fields, all of which the form has: ``["user", "password"]``. A form without any other
                password field, such as the one to log in rather than the one to sign up, comes first.
            index: Position among the forms that match, from 0.

        Raises:
            ValueError: No form matches, or the selector is invalid.
        """
        from crawler.messages.form import form_of  # noqa: PLC0415

        page = cast("Response", self)
        return form_of(page, self._beginning() if self.is_html else self.document, css, name, id, fields, index)
