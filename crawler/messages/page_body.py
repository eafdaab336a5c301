"""`PageBody`: the body of a response as text, tree and values. It is parsed at most once, on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from crawler import content, html
from crawler.errors import IncompleteBody
from crawler.headers import Headers
from crawler.logs import get_logger
from crawler.redaction import redact

if TYPE_CHECKING:
    from crawler.html import Selector, SelectorList
    from crawler.messages import Response

__all__ = ["PageBody"]

MAX_READ_TAGS: Final = 500_000
"""Maximum number of tags of a page that `markdown`, `article`, `data` and `form` read. The HTML Standard has some
400,000. More would block the event loop for seconds."""
log = get_logger("crawler.messages")


class PageBody:
    """The part of a `Response` that reads its body."""

    __slots__ = ("_document", "_encoding", "_is_html", "_root", "_text", "body", "headers", "url")

    url: str
    headers: Headers
    body: bytes
    _is_html: bool | None
    _encoding: str | None
    _text: str | None
    _document: Any
    _root: Selector | None

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
            IncompleteBody: It stops in the middle. That is a `ValueError`, too.
        """
        from crawler.content.json_values import decode_json, stops_within  # noqa: PLC0415 - few crawls need it

        try:
            return decode_json(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        try:
            return decode_json(self.text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            if isinstance(error, msgspec.DecodeError) and stops_within(self.text):
                message = f"the body of {self.url} is not JSON: it stops in the middle ({error})"
                raise IncompleteBody(message, request=cast("Response", self).request) from None
            raise ValueError(f"the body of {self.url} is not JSON: {error}") from None

    def jmespath(self, expression: str) -> SelectorList:
        """Select values of the JSON body by a JMESPath expression. It needs the extra ``jmespath``.

        Raises:
            ValueError: The body is not valid JSON, or the expression is invalid.
            ImportError: jmespath is not installed.
        """
        return html.Selector(root=self.json()).jmespath(expression)
