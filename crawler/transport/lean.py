"""`LeanRequest` and `LeanResponse`: what the crawl asks libcurl for, without what only httpx's own machinery looks at.

Taking a URL apart and putting headers into a dictionary is most of what an `httpx.Request` and its response cost;
neither libcurl nor the crawl needs that.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Final

import attrs
import httpx

from crawler import urls

__all__ = ["LeanRequest", "LeanResponse", "Target", "described", "target_of"]

PORTS = {"http": 80, "https": 443}
CODED: Final = b"content-encoding"


class LeanRequest(httpx.Request):
    """An `httpx.Request` whose `url`, `headers` and `stream` are made when somebody looks at them.

    Parameters:
        method: HTTP method.
        address: the canonical URL.
        fields: header names and values, in order.
        body: the content.
        extensions: as httpx has them.
    """

    def __init__(
        self, method: str, address: str, fields: list[tuple[bytes, bytes]], body: bytes, extensions: dict[str, Any]
    ) -> None:
        self.method = method
        self.address = address
        self.fields = fields
        self.body = body
        self.extensions = extensions

    @cached_property
    def url(self) -> httpx.URL:  # type: ignore[override]
        """The URL, taken apart."""
        return httpx.URL(self.address)

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """The header fields, as a mapping."""
        return httpx.Headers(self.fields)

    @cached_property
    def stream(self) -> httpx.ByteStream:  # type: ignore[override]
        """The content, as a stream."""
        return httpx.ByteStream(self.body)

    async def aread(self) -> bytes:
        """The content."""
        return self.body


class LeanResponse(httpx.Response):
    """The answer to a `LeanRequest`: an `httpx.Response` whose `headers` are made when somebody looks at them.

    Parameters:
        status_code: HTTP status code.
        fields: header names and values as they were received.
        decoded: whether libcurl undoes the coding of the body.
        stream: the body.
        extensions: as httpx has them.
        request: what was asked.
    """

    def __init__(
        self,
        status_code: int,
        fields: list[tuple[bytes, bytes]],
        *,
        decoded: bool,
        stream: httpx.AsyncByteStream,
        extensions: dict[str, Any],
        request: httpx.Request,
    ) -> None:
        self.status_code = status_code
        self.fields = fields
        self.stream = stream
        self.extensions = extensions
        self.is_closed = self.is_stream_consumed = False
        self._decoded = decoded
        self._request = request

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """The header fields that describe the body as it is handed on."""
        return httpx.Headers(described(self.fields, decoded=self._decoded))

    async def aclose(self) -> None:
        """Be done with it. Never waits."""
        self.is_closed = True
        assert isinstance(self.stream, httpx.AsyncByteStream)
        await self.stream.aclose()


def described(fields: list[tuple[bytes, bytes]], *, decoded: bool) -> list[tuple[bytes, bytes]]:
    """The fields that still describe the body, so that httpx does not decode once more what libcurl has decoded."""
    names = [name.lower() for name, _ in fields]
    untrue = {b"transfer-encoding"}
    if decoded and CODED in names:
        untrue |= {CODED, b"content-length"}
    if untrue.isdisjoint(names):
        return fields
    return [field for name, field in zip(names, fields, strict=True) if name not in untrue]


@attrs.frozen
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    """Without brackets; an internationalised name in its ASCII form."""
    port: int


def target_of(request: httpx.Request) -> Target:
    """Where a request goes.

    Raises:
        ValueError: its URL has no host, or another scheme than ``http`` and ``https``.
    """
    if isinstance(request, LeanRequest):
        return _of_origin(urls.origin(request.address))
    url = request.url
    if url.scheme not in PORTS or not url.host:
        raise ValueError(f"not an http or https URL: {url}")
    return Target(url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])


@lru_cache(maxsize=4096)
def _of_origin(origin: str) -> Target:
    url = httpx.URL(origin)
    return Target(url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])
