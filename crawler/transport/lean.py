"""`LeanRequest`: a request from the crawl to libcurl, made without httpx's own machinery.

Parsing the URL and building the header mapping is most of what an `httpx.Request` costs, and neither libcurl nor the
crawl needs that. Both are made on first access.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import httpx
from msgspec import Struct

from crawler import urls

__all__ = ["LeanRequest", "Target", "delivered_fields", "origin_of", "target_of"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
CONTENT_ENCODING: Final = b"content-encoding"


class LeanRequest(httpx.Request):
    """An `httpx.Request` whose `url`, `headers` and `stream` are made on first access."""

    def __init__(
        self,
        method: str,
        address: str,
        fields: Sequence[tuple[bytes, bytes]],
        body: bytes,
        extensions: dict[str, Any],
    ) -> None:
        self.method = method
        self.address = address
        self.fields = fields
        self.body = body
        self.extensions = extensions

    @cached_property
    def url(self) -> httpx.URL:  # type: ignore[override]
        """The parsed URL."""
        return httpx.URL(self.address)

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """The header fields as a mapping."""
        return httpx.Headers(self.fields)

    @cached_property
    def stream(self) -> httpx.ByteStream:  # type: ignore[override]
        """The content as a stream."""
        return httpx.ByteStream(self.body)

    async def aread(self) -> bytes:
        """Return the content."""
        return self.body


def delivered_fields(fields: list[tuple[bytes, bytes]], *, decoded: bool) -> list[tuple[bytes, bytes]]:
    """Return the fields that are true of the body as delivered, so that httpx does not decode it a second time."""
    names = [name.lower() for name, _ in fields]
    untrue = {b"transfer-encoding"}
    if decoded and CONTENT_ENCODING in names:
        untrue |= {CONTENT_ENCODING, b"content-length"}
    if untrue.isdisjoint(names):
        return fields
    return [field for name, field in zip(names, fields, strict=True) if name not in untrue]


class Target(Struct, frozen=True):
    """The scheme, host and port that a request goes to."""

    scheme: str
    host: str
    """The host without brackets; an internationalised name in its ASCII form."""
    port: int


def target_of(request: httpx.Request) -> Target:
    """Return where a request goes."""
    if isinstance(request, LeanRequest):
        return _parse_origin(urls.origin(request.address))
    url = request.url
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise ValueError(f"not an http or https URL: {url}")
    return Target(url.scheme, url.raw_host.decode("ascii"), url.port or DEFAULT_PORTS[url.scheme])


def origin_of(request: httpx.Request) -> httpx.URL:
    """Return the URL of a request up to its path. httpx parses no URL of more than 64 kB, which libcurl sends."""
    return httpx.URL(urls.origin(request.address)) if isinstance(request, LeanRequest) else request.url


@lru_cache(maxsize=4096)
def _parse_origin(origin: str) -> Target:
    scheme, _, authority = origin.partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):  # no port, and perhaps an IPv6 address
        host, port = authority, ""
    return Target(scheme, host.strip("[]"), int(port) if port else DEFAULT_PORTS[scheme])
