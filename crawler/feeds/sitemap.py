"""`sitemaps`: the entries of a sitemap, one by one, in constant memory (sitemaps.org protocol).

A sitemap is XML (``urlset`` or ``sitemapindex``), plain text with one URL a line, or a feed (RSS 0.9x, 1.0, 2.0, Atom),
with or without gzip. Elements are recognised by their local names, so missing and wrong namespaces do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, Literal

from crawler.content.body_stream import BodyStream
from crawler.feeds.dates import parse_date, w3c_period
from crawler.feeds.sitemap_entry import SitemapEntry, SitemapImage, SitemapNews, SitemapVideo
from crawler.feeds.xml_stream import XmlStream
from crawler.urls import join, normalize

__all__ = ["MAX_SITEMAP_BYTES", "Sitemaps", "sitemaps"]

MAX_SITEMAP_BYTES: Final = 50 * 1024 * 1024
"""Limit of the decompressed bytes of one sitemap (sitemaps.org: 50 MB)."""
MAX_FIELD: Final = 8192
"""Maximum length of a field, in characters. A longer field counts as missing."""
MAX_ATTACHMENTS: Final = 1000
"""Maximum number of images, videos or alternates of one entry. Further ones are left out."""
FREQUENCIES: Final = frozenset({"always", "hourly", "daily", "weekly", "monthly", "yearly", "never"})
FIELDS: Final = frozenset({"loc", "lastmod", "changefreq", "priority"})
FEED_FIELDS: Final = frozenset({"link", "guid", "pubdate", "date", "updated", "published"})
ENTRIES: Final = {"rss": "item", "rdf": "item", "feed": "entry"}
"""The element of an entry, by the root element of a feed."""
_HTML: Final = re.compile(r"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)


class Sitemaps(Iterator[SitemapEntry]):
    """Iterator over the entries of a sitemap. `sitemaps` returns one."""

    def __init__(self, body: bytes | Iterable[bytes], url: str, content_type: str | None, max_bytes: int) -> None:
        self.kind: Literal["", "urlset", "index", "text", "feed"] = ""
        """Detected form of the sitemap; empty if the body is not one. Known when the entries have ended."""
        self.fault: str | None = None
        """Why not everything could be read, in a few words; `None` if it was. Known when the entries have ended."""
        self._url = url
        self._stream = BodyStream(body, content_type, max_bytes)
        self._entries = self._read()

    def __next__(self) -> SitemapEntry:
        for entry in self._entries:
            if entry is not None:
                return entry
        raise StopIteration

    def in_steps(self) -> Iterator[SitemapEntry | None]:
        """Return an iterator over the entries that also yields `None`, at least once for each 64 KB of text.

        A sitemap may have 50 MB between two entries: a callback that yields the `None` lets other tasks run meanwhile.
        """
        return self._entries

    def _read(self) -> Iterator[SitemapEntry | None]:
        chunks = iter(self._stream)
        head = ""
        for chunk in chunks:
            head += chunk.lstrip() if not head else chunk
            if len(head) >= MAX_FIELD:
                break
            yield None
        if _HTML.match(head):
            self.fault = "HTML instead of a sitemap"
            return
        is_text = not head.startswith("<") and not ("<?xml" in head or "<urlset" in head or "<sitemapindex" in head)
        yield from self._lines(head, chunks) if is_text else self._elements(head, chunks)
        self.fault = self._stream.fault or self.fault

    def _elements(self, head: str, chunks: Iterator[str]) -> Iterator[SitemapEntry | None]:
        reader = _Reader(self._url)
        xml = reader.stream
        xml.feed(head)
        for chunk in chunks:
            yield from reader.take()
            yield None
            if xml.ended:
                break
            xml.feed(chunk)
        xml.close()
        yield from reader.take()
        self.kind = reader.kind
        self.fault = xml.fault

    def _lines(self, head: str, chunks: Iterator[str]) -> Iterator[SitemapEntry | None]:
        """Read one absolute URL a line (sitemaps.org, "Text file"). Other lines are ignored."""
        has_text = False
        for lines in _split(chain((head,), chunks)):
            for line in lines:
                entry = self._line(line)
                if entry is not None:
                    yield entry
                elif line and not line.isspace():
                    has_text = True
            yield None
        if not self.kind:
            self.fault = "not a sitemap" if has_text else "empty"

    def _line(self, line: str) -> SitemapEntry | None:
        line = line.strip()
        if not line[:8].lower().startswith(("http://", "https://")) or len(line) > MAX_FIELD:
            return None
        url = _absolute(self._url, line)
        if url is None:
            return None
        self.kind = "text"
        return SitemapEntry(url=url)


def sitemaps(
    body: bytes | Iterable[bytes], url: str, *, content_type: str | None = None, max_bytes: int = MAX_SITEMAP_BYTES
) -> Sitemaps:
    """Return an iterator over the entries of a sitemap, which parses the body on the way.

    Entries that cannot be read are left out. If not everything could be read, `fault` of the iterator says why at the
    end.

    Parameters:
        body: The content, or an iterable of chunks. Gzip is decompressed.
        url: Its canonical URL, with which other URLs are joined.
        content_type: The ``Content-Type`` header field; `None` if there was none.
        max_bytes: Limit of the decompressed bytes that are read.
    """
    return Sitemaps(body, url, content_type, max_bytes)


class _Reader:
    """Builds entries from the elements of a sitemap."""

    def __init__(self, url: str) -> None:
        self.kind: Literal["", "urlset", "index", "feed"] = ""
        self.stream = XmlStream(self._on_start, self._on_end, self._on_text, self._on_broken)
        self._url = url
        self._locals: dict[str, str] = {}
        self._names: frozenset[str] = frozenset()
        self._feed = False
        self._ready: list[SitemapEntry] = []
        self._entry_depth = 0
        self._entry: dict[str, Any] = {}
        self._group: dict[str, Any] | None = None
        self._text: list[str] | None = None
        self._size = 0

    def take(self) -> list[SitemapEntry]:
        """Return the entries since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def _local(self, name: str) -> str:
        local = self._locals.get(name)
        if local is None:
            local = self._locals[name] = name.rpartition(":")[2].lower()
        return local

    def _on_start(self, name: str, attributes: Mapping[str, str]) -> None:
        depth, local = self.stream.depth, self._local(name)
        if depth == 1:
            self._begin(local)
        elif not self._entry_depth:
            if local in self._names:
                self._entry_depth, self._entry, self._group = depth, {"name": local}, None
                self.stream.entry_level = depth - 1
        elif depth == self._entry_depth + 1:
            self._group = self._text = None
            if local == "link" and "href" in attributes:
                self._link(attributes)
            elif local in ("image", "video", "news") and not self._feed:
                self._group = {}
                self._add_group(local, self._group)
            elif local in (FEED_FIELDS if self._feed else FIELDS):
                self._collect_text()
                if local == "guid" and attributes.get("isPermaLink", "true").strip().lower() == "false":
                    self._text = None
        elif self._group is not None:
            self._collect_text()
        else:
            self._text = None

    def _begin(self, root: str) -> None:
        self._feed = root in ENTRIES
        self._names = frozenset({ENTRIES[root]} if self._feed else {"url", "sitemap"})
        self.kind = "feed" if self._feed else "index" if root == "sitemapindex" else "urlset"

    def _collect_text(self) -> None:
        self._text, self._size = [], 0

    def _on_text(self, text: str) -> None:
        if self._text is not None:
            self._size += len(text)
            if self._size <= MAX_FIELD:
                self._text.append(text)

    def _on_end(self, name: str) -> None:
        if not self._entry_depth:
            return
        depth = self.stream.depth + 1
        if depth == self._entry_depth:
            self._entry_depth = 0
            entry = self._take_entry()
            if entry is not None:
                self._ready.append(entry)
        elif self._text is not None:
            text = "".join(self._text).strip() if self._size <= MAX_FIELD else ""
            self._text = None
            if text:
                self._set_field(self._local(name), text)

    def _on_broken(self) -> None:
        self._entry_depth, self._entry, self._group, self._text = 0, {}, None, None

    def _set_field(self, local: str, text: str) -> None:
        if self._group is None:
            self._entry.setdefault(local, text)
        elif local == "tag":
            tags = self._group.setdefault("tag", [])
            if len(tags) < MAX_ATTACHMENTS:
                tags.append(text)
        elif len(self._group) < 50:  # an image or video has fewer fields
            self._group.setdefault(local, text)

    def _add_group(self, local: str, group: dict[str, Any]) -> None:
        groups = self._entry.setdefault(local, [])
        if len(groups) < MAX_ATTACHMENTS:
            groups.append(group)

    def _link(self, attributes: Mapping[str, str]) -> None:
        """Handle ``xhtml:link``, the page in another language, and ``atom:link``, the page of an entry."""
        rel = attributes.get("rel", "alternate").lower().split()
        language, href = attributes.get("hreflang", "").strip(), attributes["href"]
        if "alternate" not in rel or len(href) > MAX_FIELD:
            return
        if self._feed:
            self._entry.setdefault("href", href)
            return
        target = join(self._url, href.strip())
        alternates = self._entry.setdefault("alternates", {})
        if language and target is not None and len(alternates) < MAX_ATTACHMENTS:
            alternates.setdefault(language, target)

    def _take_entry(self) -> SitemapEntry | None:
        entry, self._entry = self._entry, {}
        if self._feed:
            url, lastmod, until = entry.get("link") or entry.get("href") or entry.get("guid"), None, None
            for name in ("updated", "pubdate", "published", "date"):
                lastmod = lastmod or (parse_date(entry[name]) if name in entry else None)
        else:
            url = entry.get("loc")
            lastmod, until = w3c_period(entry.get("lastmod", "")) or (None, None)
        target = None if url is None else _absolute(self._url, url)
        if target is None:
            return None
        frequency = entry.get("changefreq", "").lower()
        return SitemapEntry(
            url=target,
            kind="sitemap" if entry["name"] == "sitemap" else "page",
            lastmod=lastmod,
            until=until,
            changefreq=frequency if frequency in FREQUENCIES else None,
            priority=_priority(entry.get("priority")),
            alternates=entry.get("alternates", {}),
            images=tuple(image for group in entry.get("image", ()) if (image := self._image(group))),
            videos=tuple(self._video(group) for group in entry.get("video", ()) if group),
            news=self._news(entry["news"][0]) if entry.get("news") else None,
        )

    def _image(self, group: dict[str, Any]) -> SitemapImage | None:
        url = self._absolute(group.get("loc"))
        if url is None:
            return None
        names = ("caption", "title", "geo_location", "license")
        return SitemapImage(url=url, **{name: group.get(name) for name in names})

    def _video(self, group: dict[str, Any]) -> SitemapVideo:
        duration = group.pop("duration", "")
        return SitemapVideo(
            url=self._absolute(group.pop("content_loc", None)),
            player=self._absolute(group.pop("player_loc", None)),
            thumbnail=self._absolute(group.pop("thumbnail_loc", None)),
            title=group.pop("title", None),
            description=group.pop("description", None),
            duration=int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 10 else None,
            published=parse_date(group.pop("publication_date", "")),
            expires=parse_date(group.pop("expiration_date", "")),
            tags=tuple(group.pop("tag", ())),
            fields=group,
        )

    @staticmethod
    def _news(group: dict[str, Any]) -> SitemapNews:
        names = ("name", "language", "title", "keywords", "genres", "stock_tickers", "access")
        fields = {name: group.get(name) for name in names}
        return SitemapNews(published=parse_date(group.get("publication_date", "")), **fields)

    def _absolute(self, url: str | None) -> str | None:
        return None if url is None else join(self._url, url)


def _split(chunks: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines that end in each chunk of a text, whatever their line ends. Very long lines are dropped."""
    rest, skips = "", False
    for chunk in chain(chunks, ("\n",)):
        *lines, rest = (rest + chunk).replace("\r", "\n").split("\n")
        yield lines[skips:]  # the first line is the end of one that was too long
        skips = (skips and not lines) or len(rest) > MAX_FIELD
        rest = "" if skips else rest


def _absolute(base: str, url: str) -> str | None:
    """Return the absolute URL of an entry.

    It is seen once only: `join` would cache it, and drop URLs that pages link to repeatedly.
    """
    if not url[:8].lower().startswith(("http://", "https://")):
        return join(base, url)
    try:
        return normalize(url)
    except ValueError:
        return None


def _priority(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
