"""`QuotaTimeout`: the exception of a request whose wait for the limits would take too long."""

from __future__ import annotations

from typing import Any

import httpx

__all__ = ["QuotaTimeout"]


class QuotaTimeout(httpx.PoolTimeout):
    """Raised when a request would have to wait for the limits beyond its deadline or beyond `patience`.

    It is raised before anything is sent, as soon as the time of the start is known, in ``trio.move_on_after()``, too:
    with ``on_deadline="wait"``, the deadline cancels the request instead. Its cause is a `WouldExceedDeadline`.

    Parameters:
        message: What happened, in one line.
        retry_at: When the request may start, in seconds since the epoch; infinite if unknown.
        scope: The lane or budget that the request would wait for.
        request: The request.
    """

    def __init__(self, message: str, *, retry_at: float, scope: str, request: httpx.Request | None = None) -> None:
        super().__init__(message, request=request)
        self.retry_at = retry_at
        self.scope = scope

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (str(self), self.retry_at, self.scope)


def _rebuild(message: str, retry_at: float, scope: str) -> QuotaTimeout:
    return QuotaTimeout(message, retry_at=retry_at, scope=scope)
