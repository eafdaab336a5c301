"""`read_feed`: RSS 0.9x, 1.0 and 2.0, Atom (RFC 4287) and JSON Feed 1.1, read into one form.

Bad XML is read as far as it can be; a date that is none is `None`; URLs are joined, with ``xml:base`` heeded.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from crawler.content.body_stream import BodyStream
from crawler.feeds.feed import Feed
from crawler.feeds.json_feed import read_json_feed
from crawler.feeds.rss_atom import FeedReader

__all__ = ["MAX_FEED_BYTES", "read_feed"]

MAX_FEED_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one feed, unpacked."""


def read_feed(
    body: bytes | Iterable[bytes], url: str, *, content_type: str | None = None, max_bytes: int = MAX_FEED_BYTES
) -> Feed | None:
    """What a feed says; `None`: it is no feed. Nothing that is in it raises.

    Parameters:
        body: the content, or pieces of it; what is packed by gzip is unpacked.
        url: its canonical URL, against which others are joined.
        content_type: the HTTP header field of that name, if there was one.
        most: bytes that are read, unpacked.
    """
    incoming = BodyStream(body, content_type, max_bytes)
    chunks = iter(incoming)
    head = ""
    for chunk in chunks:
        head += chunk.lstrip() if not head else chunk
        if head:
            break
    if head.startswith("{"):
        return read_json_feed("".join(chain((head,), chunks)), url)
    reader = FeedReader(url)
    for chunk in chain((head,), chunks):
        reader.stream.feed(chunk)
        if reader.stream.ended:
            break
    reader.stream.close()
    return reader.result(incoming.fault)
