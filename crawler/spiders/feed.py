"""`FeedSpider`: items from files of records, read one record at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from crawler import content, records
from crawler.content.gunzip import CUT_GZIP
from crawler.errors import ConfigError, IncompleteBody
from crawler.hooks.crawl import Crawl
from crawler.logs import get_logger
from crawler.messages import Produced, Request, Response
from crawler.records.json_path import parse_keys
from crawler.settings import Settings
from crawler.spiders.arguments import check_argument_types, check_start_urls
from crawler.spiders.callback_results import as_iterable, is_async
from crawler.spiders.spider import Spider

__all__ = ["FeedSpider"]

HTML: Final = re.compile(r"\s*(<\?xml[^>]*>\s*)?<(!doctype )?html\b", re.IGNORECASE)
"""The beginning of an HTML page, including XHTML."""
log = get_logger("crawler.spiders")


class FeedSpider(Spider):
    """Reads files of records: XML, CSV and similar tables, JSON Lines and JSON arrays, with or without gzip.

    ::

        python -m crawler run crawler.spiders.feed:FeedSpider -a url=https://shop.example/products.csv -o products.jsonl

    Without a `parse_record` of your own, each record is an item. A record that cannot be read, or for which
    `parse_record` raises, is counted as ``broken records``; the first ones of a file are logged, and reading continues.
    A file of broken records only is a failed page; a file without records is counted as ``files without a record``. A
    file that stops in the middle is fetched again; see the setting `incomplete`.

    A file is in memory as it was sent, up to `Settings.max_body`, which is 256 MiB here. Decompression and records are
    streamed; a row, a line or an element of more than some megabytes is a broken record.

    Raises:
        ConfigError: An argument is invalid, or arguments contradict each other.
    """

    settings = Settings(max_body=256 * 1024 * 1024)

    url: str = ""
    """URL of the file, instead of `start_urls`."""
    format: Literal["auto", "xml", "csv", "jsonl", "json"] = "auto"
    """Format of the files; ``auto`` detects it by media type, name and content."""
    itertag: str = "item"
    """XML: the element that is a record. ``item`` matches any namespace, ``g:item`` uses `namespaces`, ``{URI}item`` is
    exact."""
    namespaces: dict[str, str] = {}  # noqa: RUF012 - never changed
    """XML: namespace URIs by prefix, for `itertag`."""
    items: str = ""
    """JSON: path to the array of records, such as ``data.products``; empty if the document is the array."""
    delimiter: str = ""
    """CSV: separator of fields; empty means the most frequent one of comma, semicolon, tab and ``|`` in the first
    line."""
    quotechar: str = '"'
    """CSV: character that encloses fields; empty means that fields are not quoted."""
    headers: list[str] | None = None
    """CSV: names of the columns; `None` means that the first row has them."""
    encoding: str = ""
    """A label of the WHATWG Encoding Standard; empty means byte order mark, header, XML declaration or detection, in
    this order."""
    max_unpacked: int = 4 * 1024 * 1024 * 1024
    """Limit of the decompressed bytes of a gzip file. A larger file fails."""

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
        """Check the arguments again, since a subclass may have set some after `__init__`."""
        self.check()
        if type(self).start is FeedSpider.start:
            check_start_urls(self)
        yield

    def start(self) -> Iterator[Request]:
        """Yield a request for each file."""
        return self._start_requests()

    def check(self) -> None:
        """Check the arguments.

        Raises:
            ConfigError: An argument is invalid, or arguments contradict each other.
        """
        check_argument_types(self, FeedSpider)
        name = type(self).__name__
        for argument in ("delimiter", "quotechar"):
            value = getattr(self, argument)
            if len(value) > 1 or value in ("\r", "\n"):
                raise ConfigError(f"{name}: argument {argument}: expected one character, not {value!r}")
        if self.quotechar and self.quotechar == self.delimiter:
            raise ConfigError(f"{name}: delimiter and quotechar are the same: {self.delimiter!r}")
        if self.encoding and content.canonical_label(self.encoding) is None:
            raise ConfigError(f"{name}: argument encoding: unknown encoding {self.encoding!r}")
        if self.max_unpacked < 1:
            raise ConfigError(f"{name}: argument max_unpacked: must be at least 1, not {self.max_unpacked}")
        if parse_keys(self.items) is None:
            raise ConfigError(f"{name}: argument items: not a dotted path: {self.items!r}")
        try:
            records.qualified_name(self.itertag, self.namespaces)
        except ValueError as error:
            raise ConfigError(f"{name}: argument itertag: {error}") from None
        if is_async(self.parse_record):
            raise ConfigError(f"{name}.parse_record must not be async: yield a Request for what has to wait")

    def adapt(self, response: Response) -> Response:
        """Return the response to read records from. Override it to repair a file, by ``response.replace(body=...)``."""
        return response

    def parse_record(self, response: Response, record: Any) -> Produced:
        """Handle one record: return or yield items and requests, but not as ``async def``.

        By default the record is the item. An element becomes a dict by the local names of its children; a JSON value
        that is not an object becomes ``{"value": ...}``.

        Parameters:
            response: The file.
            record: A dict of strings (CSV), any value (JSON), or an `xml.etree.ElementTree.Element` (XML).
        """
        if isinstance(record, Element):
            record = records.element_to_dict(record)
        return record if isinstance(record, dict) else {"value": record}

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield the items and requests of each record of a file, and `None` where other tasks may run.

        Raises:
            ValueError: No record can be read, or the file must not be read further.
            IncompleteBody: The file stops in the middle.
        """
        response = self.adapt(response)
        good = broken = 0
        first = cut = ""
        for record in self._records(response):
            if record is records.PAUSE:
                yield None
                continue
            if isinstance(record, records.BrokenRecord):
                reason = record.reason
                cut = reason if record.is_cut else ""
            else:
                try:
                    produced = list(as_iterable(self.parse_record(response, record)))
                except Exception as error:
                    reason, cut = f"record {good + broken + 1}: parse_record raised {type(error).__name__}: {error}", ""
                else:
                    good += 1
                    yield from produced or (None,)
                    continue
            broken += 1
            yield None
            first = first or reason
            if broken <= 5 and not cut:  # further ones of a file are counted, not logged
                log.warning("%s: broken record: %s", response.url, reason)
        if cut and response.complete:
            raise IncompleteBody(f"the file {response.url} stops in the middle: {cut}", request=response.request)
        if broken:
            if not good:
                raise ValueError(f"no record of {response.url} could be read: {first}")
            log.warning("%s: records: %d read, %d broken", response.url, good, broken)
            self.crawl.count("broken records", broken)
        elif not good:
            log.warning("%s has no record; in XML, records are elements named %s (itertag)", response.url, self.itertag)
            self.crawl.count("files without a record")

    def _records(self, response: Response) -> Iterator[Any]:
        """Yield the records of a file, including broken ones, and pauses."""
        source = records.GunzippedBody(response.body, self.max_unpacked)
        content_type = response.headers.get("content-type", "")
        head = source.head()
        label = content.canonical_label(self.encoding) or content.detect_encoding(head, content_type)
        kind = self.format
        if kind == "auto":
            begins = content.decode(head[:4096], label)
            if HTML.match(begins):  # such as an error page
                raise ValueError(f"{response.url} is an HTML page, not a file of records")
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
            yield from records.json_array_records(texts, parse_keys(self.items) or ())
        if source.fault is not None:
            yield records.BrokenRecord(source.fault, is_cut=source.fault == CUT_GZIP)


def _separator(response: Response) -> str:
    """Return the separator that the media type of a table implies; empty if it implies none."""
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "\t" if media == "text/tab-separated-values" else ""
