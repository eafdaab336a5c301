"""Which requests may be sent again, and after which statuses (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["is_idempotent", "is_transient", "was_processed"]

IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""RFC 9110 section 9.2.2."""
IDEMPOTENCY_KEY: Final = "idempotency-key"
"""The field by which a server recognises a repeated request (draft-ietf-httpapi-idempotency-key-header)."""
TRANSIENT: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the resource."""
UNSUPPORTED: Final = frozenset({501, 505})
"""Not Implemented and HTTP Version Not Supported: statuses from 500 that the same request would get again."""
NOT_PROCESSED: Final = frozenset({408, 420, 425, 429, 509, 529})
"""Statuses of requests that the server rejected before it processed them. 503 is not one: gateways send it too, after
they have forwarded the request."""


def is_idempotent(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether the effect of sending a request several times is that of sending it once."""
    return method in IDEMPOTENT_METHODS or bool(headers.get(IDEMPOTENCY_KEY))


def is_transient(status: int) -> bool:
    """Return whether a status says nothing about the resource: 408, 425, 429, and those from 500 except 501 and 505."""
    return status in TRANSIENT or (status >= 500 and status not in UNSUPPORTED)


def was_processed(status: int, *, refused: bool = False) -> bool:
    """Return whether a server that sent this status may have done what the request asks for."""
    return status not in NOT_PROCESSED and not (refused and status < 500)
