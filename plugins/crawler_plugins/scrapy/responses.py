"""`to_scrapy`: responses of the crawl as those of Scrapy, and back."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import NoneType
from typing import Any, Final

from scrapy.http import HtmlResponse, Response
from scrapy.responsetypes import responsetypes

import crawler
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.handlers import host_of
from crawler_plugins.scrapy.header_fields import header_pairs, scrapy_headers
from crawler_plugins.scrapy.requests import NotedSlot, canonical

__all__ = ["note_exchange", "note_retries", "note_slot", "to_crawl", "to_scrapy"]

PROTOCOLS: Final = {"HTTP/2": "h2", "HTTP/3": "h3"}
"""Names of protocols that differ in Scrapy."""


def to_scrapy(response: crawler.Response, request: Any, wire: Any = None) -> Any:
    """Return a response as Scrapy has it.

    Parameters:
        response: The response of the crawl.
        request: The request of Scrapy that it responds to.
        wire: Its `Exchange`, if its body was read apart. `None`: that of the response.
    """
    headers = scrapy_headers(response.headers.pairs)
    dict.pop(headers, b"Content-Encoding", None)
    kind = _kind_of(response.headers.get("content-type", ""))
    if kind is Response or "content-disposition" in response.headers:
        kind = responsetypes.from_args(headers=headers, url=response.url, body=response.body)
    page = request.url.partition("#")[0]
    url = page if canonical(page) == response.url else response.url  # as the spider has written it
    fields = {b"Content-Type": headers.get(b"Content-Type")}  # older constructors ask for the encoding
    made: dict[str, Any] = {"status": response.status, "body": response.body, "request": request, "headers": fields}
    wire = wire or response.wire
    if wire is not None:
        made["protocol"] = PROTOCOLS.get(wire.http_version, wire.http_version)
        made["ip_address"] = _address_of(wire.address)
        for name, value in wire.request_fields:
            if name == "Cookie":
                dict.__setitem__(request.headers, b"Cookie", [value.encode("latin-1")])
    if not response.complete:
        made["flags"] = ["dataloss"]
    found = (FastHtmlResponse if kind is HtmlResponse else kind)(url, **made)
    found.headers = headers  # the constructor would copy them
    return found


@lru_cache(maxsize=4096)
def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address; `None` for an empty one."""
    return ip_address(text.partition("%")[0]) if text else None


@lru_cache(maxsize=256)
def _kind_of(content_type: str) -> Any:
    """Return the class for a ``Content-Type``."""
    return responsetypes.from_content_type(content_type) if content_type else Response


def to_crawl(response: Any, request: crawler.Request) -> crawler.Response:
    """Return a response that a middleware has made or changed as one of the crawl."""
    return crawler.Response(
        request.url if canonical(response.url) == request.url else response.url,
        response.status,
        header_pairs(response.headers),
        response.body,
        request=request,
        source="scrapy",
    )


def note_exchange(response: crawler.Response, meta: dict[str, Any], timeout: float) -> None:
    """Add what Scrapy's downloader notes of an exchange to the `meta` of its request."""
    meta["download_latency"] = response.first_byte
    meta.setdefault("download_timeout", timeout)
    note_slot(response.url, meta)
    note_retries(response.attempt, meta)


def note_slot(url: str, meta: dict[str, Any]) -> None:
    """Add the slot of a request to its `meta`, unless the project has chosen one."""
    if isinstance(meta.get("download_slot"), (NotedSlot, NoneType)):
        meta["download_slot"] = NotedSlot(host_of(url))


def note_retries(attempts: int, meta: dict[str, Any]) -> None:
    """Add the number of retries to the `meta` of a request."""
    if attempts > 1:
        meta["retry_times"] = meta.get("retry_times", 0) + attempts - 1
