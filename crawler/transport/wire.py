"""What the crawl and its transports tell each other beyond httpx: `LeanRequest`, `WireOptions`, `TransportFailure`.

A `LeanRequest` is made without httpx's own machinery: to parse the URL and build the header mapping is most of what an
`httpx.Request` costs, and neither libcurl nor the crawl needs that. `WireOptions` travel with a request, under one key
of `httpx.Request.extensions`. A `TransportFailure` is attached to the httpx exception that a transport raises. Other
transports know neither: they ignore the key, and `failure_of` returns `None` for their exceptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, TypeAlias

import httpx
from msgspec import Struct

from crawler import urls
from crawler.http.address_guard import AddressGuard

__all__ = [
    "DEADLINE",
    "EXTENSION",
    "STALE",
    "LeanRequest",
    "ProxyFault",
    "Target",
    "TransportFailure",
    "WireOptions",
    "delivered_fields",
    "failure_of",
    "origin_of",
    "set_failure",
    "target_of",
    "wire_options",
]

EXTENSION: Final = "crawler"
"""The key of `httpx.Request.extensions` that holds `WireOptions`."""
FAILURE: Final = "transport_failure"
"""The attribute of an exception that holds a `TransportFailure`."""
DEADLINE: Final = "deadline"
"""The kind of a failure because the response was not complete by `WireOptions.complete_by`."""
STALE: Final = "stale"
"""The kind of a failure at a kept connection that the server had closed, or on which it had sent too much before."""

ProxyFault: TypeAlias = Literal["proxy", "beyond"]
"""Where a request through a proxy failed: at the proxy itself, or beyond it, between the proxy and the site."""


class WireOptions(Struct, kw_only=True):  # one is made for every request, and freezing costs
    """How one request is sent. Treat it as frozen; `msgspec.structs.replace` makes a changed copy."""

    on_sent: Callable[[float], object] | None = None
    """Called when the connection is ready and the first bytes of the request go out, with the time on trio's clock, and
    again if it is sent again."""
    address_guard: AddressGuard | None = None
    """Decides which addresses may be connected to; `None` allows every address."""
    is_start_page: bool = False
    """Whether this is a start page, which opens the network of its host to the crawl."""
    max_body: float = math.inf
    """Bytes of the decoded body that the caller will read; infinite if it takes them as they come."""
    resend: bool = True
    """Whether the transport may send an idempotent request a second time at once, over a new connection or in another
    way."""
    complete_by: float = math.inf
    """Seconds on trio's clock by which the response must be complete. A later one fails with the kind `DEADLINE`."""
    stages: dict[str, float] | None = None
    """Gets the seconds of the stages ``dns``, ``connect`` and ``tls``; `None`: they are not wanted."""
    deadline: float = math.inf
    """Seconds on trio's clock by which the request must be able to start; `GovernedTransport` reads it."""


class TransportFailure(Struct, frozen=True, kw_only=True):
    """The knowledge of a transport about a failed request."""

    sent: bool
    """Whether any of the request may have reached the server."""
    retryable: bool | None = None
    """Whether another attempt makes sense; `None` leaves that to the class of the exception."""
    kind: str = ""
    """The exact failure, as in `RequestError.kind`; empty if the class of the exception says enough."""
    proxy_fault: ProxyFault | None = None
    """Where it failed, if a proxy was involved; `None`: not at a proxy, or unknown."""

    @property
    def is_stale(self) -> bool:
        """Whether the kept connection that the request was sent over was unusable; see `STALE`."""
        return self.kind == STALE


_DEFAULT: Final = WireOptions()


def wire_options(request: httpx.Request) -> WireOptions:
    """Return the options of a request, or the defaults."""
    options: WireOptions = request.extensions.get(EXTENSION, _DEFAULT)
    return options


def set_failure(error: Exception, failure: TransportFailure) -> None:
    """Attach `failure` to an exception, in place of an earlier one."""
    vars(error)[FAILURE] = failure


def failure_of(error: BaseException | None) -> TransportFailure | None:
    """Return the failure attached to an exception; `None` if it comes from another transport."""
    return getattr(error, FAILURE, None)


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
