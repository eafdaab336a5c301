"""`FeedReader`: RSS 0.9x, 1.0 and 2.0, and Atom, from the elements of an XML stream."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import attrs
import turbohtml

from crawler.content.encoding import replace_surrogates
from crawler.feeds.dates import parse_date
from crawler.feeds.feed import Enclosure, Feed, FeedEntry
from crawler.feeds.xml_stream import XmlStream
from crawler.urls import join

__all__ = ["FeedReader"]

SPACES: Final = {
    "http://www.w3.org/2005/atom": "atom",
    "http://purl.org/atom/ns#": "atom",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss/": "media",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://www.w3.org/1999/xhtml": "xhtml",
}
"""Prefixes used here by namespace in lower case. Any other default namespace is that of the feed itself."""
TEXTS: Final = frozenset({
    "title", "link", "guid", "id", "description", "summary", "subtitle", "tagline", "content", "content:encoded",
    "pubdate", "published", "issued", "updated", "modified", "created", "author", "category", "dc:date", "dc:creator",
    "dc:title", "dc:subject", "dcterms:created", "dcterms:modified", "itunes:author", "itunes:summary",
    "atom:updated", "atom:published", "atom:summary", "atom:content",
})  # fmt: skip
"""Children of an entry whose text is kept."""


@attrs.define(eq=False)
class _Part:
    """A feed or an entry while it is read."""

    depth: int
    """Depth of its element."""
    texts: dict[str, str] = attrs.field(factory=dict)
    """The first text of each child."""
    links: dict[str, str] = attrs.field(factory=dict)
    """The first URL of each relation."""
    base: str = ""
    """The URL that its links are joined with."""
    about: str | None = None
    """``rdf:about``."""
    permanent: bool = True
    """Whether its ``guid`` is a URL."""
    authors: dict[str, None] = attrs.field(factory=dict)
    """Names of the authors."""
    categories: dict[str, None] = attrs.field(factory=dict)
    """Categories or tags."""
    enclosures: list[Enclosure] = attrs.field(factory=list)
    """Attached files."""


class FeedReader:
    """Reads a feed: pass its text to `stream`, then call `result`."""

    def __init__(self, url: str) -> None:
        self.stream = XmlStream(self._on_start, self._on_end, self._on_text, self._on_broken)
        """Parser to pass the text to."""
        self._root = ""
        self._found = False
        self._feed = _Part(1, base=url)
        self._entry: _Part | None = None
        self._entries: list[FeedEntry] = []
        self._bases = [(0, url)]
        self._scopes: list[tuple[int, dict[str, str]]] = [(0, {"xml": "xml"})]
        self._text: list[str] | None = None
        self._text_depth = 0
        self._name = ""
        self._type = ""

    def result(self, fault: str | None) -> Feed | None:
        """Return the feed; `None` if the document was not one."""
        if not self._found:
            return None
        feed, texts = self._feed, self._feed.texts
        return Feed(
            title=_line(texts.get("title") or texts.get("dc:title")),
            url=self._resolve(feed, feed.links.get("alternate") or texts.get("link") or feed.about),
            entries=self._entries,
            next=self._resolve(feed, feed.links.get("next")),
            fault=fault or self.stream.fault,
        )

    # Elements

    def _on_start(self, written: str, attributes: Mapping[str, str]) -> None:
        depth = self.stream.depth
        if attributes:
            self._enter_scope(depth, attributes)
        name = self._canonical(written)
        if self._text is not None:
            if not (self._type == "xhtml" and depth == self._text_depth + 1):  # the div is not content (RFC 4287)
                self._text.append(_tag(name, attributes))
            return
        if depth == 1:
            self._begin(name)
        elif self._entry is None and name in ("item", "entry") and depth <= 3:
            about = attributes.get("rdf:about")
            self.stream.entry_level = depth - 1
            self._found, self._entry = True, _Part(depth, base=self._bases[-1][1], about=about)
        elif name == "channel" and depth <= 2:
            self._found = True
            self._feed.depth, self._feed.about = depth, attributes.get("rdf:about")
        else:
            self._child(depth, name, attributes)

    def _begin(self, name: str) -> None:
        self._root = name.rpartition(":")[2]
        if self._root not in ("rss", "rdf", "feed", "channel"):
            self.stream.stop("not a feed")
        self._found = self._root in ("rss", "feed", "channel")

    def _child(self, depth: int, name: str, attributes: Mapping[str, str]) -> None:
        part = self._entry or self._feed
        inside = depth - part.depth
        if inside == 1 and name in ("link", "atom:link", "enclosure"):
            self._link(part, name, attributes)
        elif inside == 1 and name == "category" and "term" in attributes:
            part.categories[attributes.get("label", "").strip() or attributes["term"].strip()] = None
        elif inside == 1 and name == "guid":
            part.permanent = attributes.get("isPermaLink", "true").strip().lower() != "false"
        elif inside == 1 and name == "content" and "src" in attributes:
            part.links.setdefault("source", self._absolute(attributes["src"]) or "")
        if (inside == 1 and name in TEXTS) or (inside == 2 and name == "name" and self._name == "author"):
            self._text, self._text_depth = [], depth
            self._type = attributes.get("type", "").strip().lower() if self._root == "feed" else ""
            if name == "author" and self._root == "feed":
                self._text = None  # the name is in a child
        if inside == 1:
            self._name = name

    def _link(self, part: _Part, name: str, attributes: Mapping[str, str]) -> None:
        """Handle ``link`` of Atom and ``enclosure`` of RSS."""
        url = self._absolute(attributes.get("url" if name == "enclosure" else "href"))
        if url is None:
            return
        relations = ["enclosure"] if name == "enclosure" else attributes.get("rel", "alternate").lower().split()
        for relation in relations:
            part.links.setdefault(relation, url)
        if "enclosure" in relations:
            length = attributes.get("length", "").strip()
            size = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
            part.enclosures.append(Enclosure(url=url, type=attributes.get("type", "").strip() or None, length=size))

    def _on_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(escape(text, quote=False) if self._type == "xhtml" else text)

    def _on_end(self, written: str) -> None:
        depth = self.stream.depth + 1
        name = self._canonical(written)
        if self._text is not None and depth > self._text_depth:
            if not (self._type == "xhtml" and depth == self._text_depth + 1):
                self._text.append(f"</{name.removeprefix('xhtml:')}>")
        elif self._text is not None:
            text, self._text = "".join(self._text).strip(), None
            if text:
                self._set_field(self._entry or self._feed, name, text)
        elif self._entry is not None and depth == self._entry.depth:
            self._entries.append(self._entry_of(self._entry))
            self._entry = None
        self._leave_scope(depth)

    def _on_broken(self) -> None:
        self._entry = self._text = None
        self._leave_scope(self.stream.entry_level + 1)

    def _leave_scope(self, depth: int) -> None:
        """Drop the namespaces and base URLs that elements at `depth` or deeper declared."""
        while self._bases[-1][0] >= depth:
            self._bases.pop()
        while self._scopes[-1][0] >= depth:
            self._scopes.pop()

    def _set_field(self, part: _Part, name: str, text: str) -> None:
        if name in ("author", "dc:creator", "name"):
            part.authors[" ".join(text.split())] = None
        elif name in ("category", "dc:subject"):
            part.categories[" ".join(text.split())] = None
        elif name == "link":
            part.texts.setdefault(name, self._absolute(text) or "")
        elif name in ("title", "dc:title") and self._type in ("html", "xhtml", "text/html", "application/xhtml+xml"):
            part.texts.setdefault(name, replace_surrogates(turbohtml.parse(text, positions=False).text))
        else:
            part.texts.setdefault(name, text)

    def _entry_of(self, part: _Part) -> FeedEntry:
        texts = part.texts
        permanent = texts.get("guid") if part.permanent else None
        url = part.links.get("alternate") or texts.get("link") or part.links.get("source") or part.about or permanent
        content = texts.get("content:encoded") or texts.get("content") or texts.get("atom:content")
        summary = texts.get("summary") or texts.get("description") or texts.get("atom:summary")
        authors = ", ".join(part.authors) or texts.get("itunes:author")
        return FeedEntry(
            url=self._resolve(part, url),
            id=texts.get("guid") or texts.get("id") or part.about,
            title=_line(texts.get("title") or texts.get("dc:title")),
            published=_first_date(texts, "published", "pubdate", "issued", "atom:published", "dc:date", "created",
                                  "dcterms:created"),
            updated=_first_date(texts, "updated", "atom:updated", "modified", "dcterms:modified"),
            summary=summary or texts.get("itunes:summary"),
            content=content,
            author=authors,
            categories=tuple(filter(None, part.categories)),
            enclosures=tuple(part.enclosures),
        )  # fmt: skip

    # Names and URLs

    def _enter_scope(self, depth: int, attributes: Mapping[str, str]) -> None:
        scope: dict[str, str] = {}
        for name, value in attributes.items():
            if name.startswith("xmlns"):
                known = SPACES.get(value.strip().lower())
                scope[name[6:]] = known if known is not None else "" if name == "xmlns" else name[6:].lower()
            elif name == "xml:base":
                base = join(self._bases[-1][1], value.strip())
                self._bases.append((depth, base or self._bases[-1][1]))
        if scope:
            self._scopes.append((depth, self._scopes[-1][1] | scope))

    def _canonical(self, written: str) -> str:
        """Return ``title`` for an element of the feed's own format, ``dc:creator`` for one of another."""
        prefix, _, local = written.rpartition(":")
        scope = self._scopes[-1][1]
        space = scope.get(prefix, prefix.lower())
        local = local.lower()
        if not space or (space == "atom" and self._root in ("", "feed")) or (space == "rdf" and local == "rdf"):
            return local
        return f"{space}:{local}"

    def _absolute(self, url: str | None) -> str | None:
        return None if url is None else join(self._bases[-1][1], url.strip())

    @staticmethod
    def _resolve(part: _Part, url: str | None) -> str | None:
        return join(part.base, url.strip()) if url else None


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items() if not key.startswith("xmlns"))
    return f"<{name.removeprefix('xhtml:')}{written}>"


def _line(text: str | None) -> str | None:
    return (" ".join(text.split()) or None) if text else None


def _first_date(texts: Mapping[str, str], *names: str) -> Any:
    return next((date for name in names if (date := parse_date(texts.get(name, ""))) is not None), None)
