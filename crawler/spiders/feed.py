"""`FeedSpider`: items from files of records, read one record at a time."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from crawler import content, records
from crawler.errors import ConfigError
from crawler.hooks.plugin import Crawl
from crawler.messages import Produced, Request, Response
from crawler.records.json_path import parse_keys
from crawler.settings import Settings
from crawler.spiders.arguments import check_argument_types, check_start_urls
from crawler.spiders.callback_results import as_iterable, is_async
from crawler.spiders.spider import Spider

__all__ = ["FeedSpider"]

MAX_LOGGED: Final = 5
"""Broken records of a file that are logged; all of them are counted."""
HTML: Final = re.compile(r"\s*(<\?xml[^>]*>\s*)?<(!doctype )?html\b", re.IGNORECASE)
"""How a page of HTML begins, one that is XML too."""
log = logging.getLogger("crawler.spiders")


class FeedSpider(Spider):
    """Reads files of records: XML, CSV and what is like it, JSON Lines, JSON arrays; gzipped ones too.

    ::

        python -m crawler run crawler.spiders.feed:FeedSpider -a url=https://shop.example/products.csv -o products.jsonl

    Without a `parse_record` of your own each record is an item. A record that cannot be read, or that `parse_record`
    raises for, is counted under ``broken records``, the first ones of a file are logged, and the rest goes on. A file
    whose records are all broken is a page that failed; one that has none is counted under ``files without a record``.

    The file is in memory, up to `Settings.max_body` (here 256 MiB), and what it unpacks to is not; records, and what
    becomes of them, stream through. JSON arrays are the exception: their text is in memory whole.

    Raises:
        ConfigError: an argument that is none, or does not fit.
    """

    settings = Settings(max_body=256 * 1024 * 1024)

    url: str = ""
    """The file, instead of `start_urls`."""
    format: Literal["auto", "xml", "csv", "jsonl", "json"] = "auto"
    """What the files are; ``auto``: told by media type, name and content."""
    itertag: str = "item"
    """XML: the element that is a record: ``item`` in any namespace, ``g:item`` by `namespaces`, ``{URI}item``."""
    namespaces: dict[str, str] = {}  # noqa: RUF012 - an argument; it is never changed
    """XML: prefix to URI, for `itertag`."""
    items: str = ""
    """JSON: the keys that lead to the array of records: ``data.products``; empty: it is the document."""
    delimiter: str = ""
    """CSV: what stands between fields; empty: the one of comma, semicolon, tab and ``|`` that the first line shows."""
    quotechar: str = '"'
    """CSV: what fields may stand in; empty: quotes mean nothing."""
    headers: list[str] | None = None
    """CSV: names of the columns; `None`: the first row has them."""
    encoding: str = ""
    """A label of the WHATWG Encoding Standard; empty: byte order mark > header > XML declaration > detection."""
    max_unpacked: int = 4 * 1024 * 1024 * 1024
    """Bytes that a gzipped file may unpack to; a larger one fails."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        check_argument_types(self, FeedSpider)
        if self.url:
            self.start_urls = [self.url]
        if self.start_urls:
            check_start_urls(self)
        self.check()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Looks at the arguments once more, which a subclass may have set since."""
        self.check()
        if type(self).start is FeedSpider.start:
            check_start_urls(self)
        yield

    def start(self) -> Iterator[Request]:
        """The files."""
        return self._start_requests()

    def check(self) -> None:
        """Whether the arguments fit.

        Raises:
            ConfigError: one does not.
        """
        check_argument_types(self, FeedSpider)
        name = type(self).__name__
        for argument in ("delimiter", "quotechar"):
            value = getattr(self, argument)
            if len(value) > 1 or value in ("\r", "\n"):
                raise ConfigError(f"{name}: argument {argument}: one character, not {value!r}")
        if self.quotechar and self.quotechar == self.delimiter:
            raise ConfigError(f"{name}: delimiter and quotechar are the same: {self.delimiter!r}")
        if self.encoding and content.canonical_label(self.encoding) is None:
            raise ConfigError(f"{name}: argument encoding: no encoding of the web is called {self.encoding!r}")
        if self.max_unpacked < 1:
            raise ConfigError(f"{name}: argument max_unpacked: at least 1, not {self.max_unpacked}")
        if parse_keys(self.items) is None:
            raise ConfigError(f"{name}: argument items: not a dotted path: {self.items!r}")
        try:
            records.qualified_name(self.itertag, self.namespaces)
        except ValueError as error:
            raise ConfigError(f"{name}: argument itertag: {error}") from None
        if is_async(self.parse_record):
            raise ConfigError(f"{name}.parse_record must not be async: yield a Request for what takes time")

    def adapt(self, response: Response) -> Response:
        """The response before it is read: override it to mend a file, by ``response.replace(body=...)``."""
        return response

    def parse_record(self, response: Response, record: Any) -> Produced:
        """One record: a dict of texts (CSV), any value (JSON), an `xml.etree.ElementTree.Element` (XML).

        Like a callback it yields items and requests, or returns one. By default the record is the item: an element
        by the local names of its children, a JSON value that is no object as ``{"value": ...}``.
        """
        if isinstance(record, Element):
            record = records.element_to_dict(record)
        return record if isinstance(record, dict) else {"value": record}

    def parse(self, response: Response) -> Iterator[Any]:
        """Reads a file.

        Raises:
            ValueError: none of it can be read, or it is not to be read further.
        """
        response = self.adapt(response)
        good = broken = 0
        first = ""
        for record in self._records(response):
            if isinstance(record, records.BrokenRecord):
                reason = record.reason
            else:
                try:
                    produced = list(as_iterable(self.parse_record(response, record)))
                except Exception as error:
                    reason = f"record {good + broken + 1}: parse_record raised {type(error).__name__}: {error}"
                else:
                    good += 1
                    yield from produced
                    continue
            broken += 1
            first = first or reason
            if broken <= MAX_LOGGED:
                log.warning("%s: a record is broken: %s", response.url, reason)
        if broken:
            if not good:
                raise ValueError(f"no record of {response.url} could be read: {first}")
            log.warning("%s: records: %d read, %d broken", response.url, good, broken)
            self.crawl.count("broken records", broken)
        elif not good:
            self.crawl.count("files without a record")

    def _records(self, response: Response) -> Iterator[Any]:
        """The records of a file, and `BrokenRecord` ones."""
        source = records.GunzippedBody(response.body, self.max_unpacked)
        content_type = response.headers.get("content-type", "")
        head = source.head()
        label = content.canonical_label(self.encoding) or content.detect_encoding(head, content_type)
        kind = self.format
        if kind == "auto":
            begins = content.decode(head[:4096], label)
            if HTML.match(begins):  # as a server says that it is not well
                raise ValueError(f"{response.url} is a page of HTML, no file of records")
            kind = records.detect_format(content_type, urlsplit(response.url).path, begins)
        texts = records.decode_stream(source, label)
        if kind == "xml":
            yield from records.xml_records(texts, records.qualified_name(self.itertag, self.namespaces))
        elif kind == "csv":
            options = {"delimiter": self.delimiter or _separator(response), "quotechar": self.quotechar}
            yield from records.csv_records(texts, headers=self.headers, **options)
        elif kind == "jsonl":
            yield from records.json_lines_records(texts)
        else:
            yield from records.json_array_records("".join(texts), parse_keys(self.items) or ())
        if source.fault:
            yield records.BrokenRecord(source.fault)


def _separator(response: Response) -> str:
    """What the media type or the name of a table says of its fields."""
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "\t" if media == "text/tab-separated-values" else ""
