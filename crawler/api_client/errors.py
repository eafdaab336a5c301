"""`QuotaTimeout`: what users of the governed client meet of quotas that they cannot wait for."""

from __future__ import annotations

from typing import Any

import httpx

__all__ = ["QuotaTimeout"]


class QuotaTimeout(httpx.PoolTimeout):
    """A request cannot have its turn in time: the wait does not fit into a deadline, or into `patience`.

    It is raised at once, before anything was sent, as soon as the time of the turn is known. Its cause is a
    `WouldExceedDeadline`.

    Parameters:
        message: what happened, one line.
        retry_at: seconds since the epoch: when the request may start; infinite: not known.
        scope: the lane or budget that has to be waited for.
        request: the request.
    """

    def __init__(self, message: str, *, retry_at: float, scope: str, request: httpx.Request | None = None) -> None:
        super().__init__(message, request=request)
        self.retry_at = retry_at
        self.scope = scope

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (str(self), self.retry_at, self.scope)


def _rebuild(message: str, retry_at: float, scope: str) -> QuotaTimeout:
    return QuotaTimeout(message, retry_at=retry_at, scope=scope)
