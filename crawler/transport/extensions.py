"""`WireOptions` and `TransportFailure`: typed data between the crawl and its transports, beyond the fields of httpx.

`WireOptions` travel with a request, under one key of `httpx.Request.extensions`. A `TransportFailure` is attached to
the httpx exception that a transport raises. Other transports know neither: they ignore the key, and `failure_of`
returns `None` for their exceptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import httpx
from msgspec import Struct

from crawler.http.address_guard import AddressGuard

__all__ = [
    "DEADLINE",
    "EXTENSION",
    "STALE",
    "ProxyFault",
    "TransportFailure",
    "TransportStatistics",
    "WireOptions",
    "failure_of",
    "set_failure",
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
    """Bytes of the decoded body that the caller will read."""
    resend: bool = True
    """Whether the transport may send an idempotent request a second time at once, over a new connection or in another
    way."""
    decode: bool = True
    """Whether the transport may decode the body. If not, it comes in ``gzip`` or ``deflate``, or in any coding that the
    server uses although it was not offered it."""
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


class TransportStatistics(Struct, frozen=True, kw_only=True):
    """Statistics of a transport."""

    transfers: int
    """Requests in libcurl's hands, including those whose body has not been read to its end."""
    idle_handles: int
    """Easy handles of libcurl kept for further requests."""
    driving: bool
    """Whether the task that drives libcurl is running."""


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
