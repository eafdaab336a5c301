"""`read_feed`: RSS 0.9x, 1.0 and 2.0, Atom (RFC 4287) and JSON Feed 1.1 as one data structure.

Malformed XML is read as far as possible, and invalid dates become `None`. URLs are joined, with ``xml:base``.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from itertools import chain
from typing import Final

from crawler.content.body_stream import BodyStream
from crawler.content.gunzip import is_cut
from crawler.feeds.feed import Feed
from crawler.feeds.json_feed import read_json_feed
from crawler.feeds.rss_atom import FeedReader

__all__ = ["MAX_FEED_BYTES", "read_feed"]

MAX_FEED_BYTES: Final = 64 * 1024 * 1024
"""Limit of the decompressed bytes of one feed."""


def read_feed(
    body: bytes | Iterable[bytes], url: str, *, content_type: str | None = None, max_bytes: int = MAX_FEED_BYTES
) -> Feed | None:
    """Parse a feed; `None` if the body is not one. Invalid content does not raise: see `Feed.fault`.

    Parameters:
        body: The content, or an iterable of chunks. Gzip is decompressed.
        url: Its canonical URL, with which other URLs are joined.
        content_type: The ``Content-Type`` header field; `None` if there was none.
        max_bytes: Limit of the decompressed bytes that are read.
    """
    stream = BodyStream(body, content_type, max_bytes)
    chunks = iter(stream)
    head = ""
    for chunk in chunks:
        head += chunk.lstrip() if not head else chunk
        if head:
            break
    if head.startswith("{"):
        whole = BytesIO()  # joining a list would hold the text twice
        whole.writelines(text.encode("utf-8", "replace") for text in chain((head,), chunks))
        return read_json_feed(whole.getvalue(), url, is_all=stream.fault is None or is_cut(stream.fault))
    reader = FeedReader(url)
    for chunk in chain((head,), chunks):
        reader.stream.feed(chunk)
        if reader.stream.ended:
            break
    reader.stream.close()
    return reader.result(stream.fault)
