"""`Exchange`: the exchange that a response came from, as close to the bytes on the wire as the transport knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import attrs

from crawler.headers import Headers

__all__ = ["Exchange"]

Fields = tuple[tuple[str, str], ...]


@attrs.frozen(kw_only=True, repr=False)
class Exchange:
    """The exchange of a response with its server."""

    http_version: str
    """Version of the protocol: ``HTTP/1.1``, ``HTTP/2``, ``HTTP/3``."""
    status: int
    """HTTP status code."""
    reason: str
    """Reason phrase; empty in HTTP/2 and HTTP/3, which have none."""
    address: str
    """IP address of the server or proxy that was connected to; empty if the transport does not report it."""
    fields: Fields
    """Header fields of the response, in the order and case in which they came."""
    request_fields: Fields
    """Header fields of the request that the crawl set, in order. They may hold cookies and credentials."""
    body: bytes | None
    """The body in its content coding, without transfer coding. `None`: no plugin asked for it by `Plugin.wants_wire`,
    the transport decoded it, or it was not kept."""
    is_complete: bool
    """Whether the whole body was read and kept."""

    @classmethod
    def of(
        cls,
        status: int,
        headers: Headers,
        request_fields: Iterable[tuple[bytes, bytes]],
        known: Mapping[str, Any],
        *,
        body: bytes | None,
        is_complete: bool,
    ) -> Exchange:
        """Return the exchange of a response from what a transport reports."""
        version = known.get("http_version", b"HTTP/1.1").decode("latin-1")
        reason = known.get("reason_phrase")
        return cls(
            http_version=version,
            status=status,
            reason=_phrase(status) if reason is None else reason.decode("latin-1"),
            address=known.get("primary_ip", ""),
            fields=headers.pairs,
            request_fields=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request_fields),
            body=body,
            is_complete=is_complete,
        )


def _phrase(status: int) -> str:
    """Return the reason phrase of RFC 9110 for a status; empty if it has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
