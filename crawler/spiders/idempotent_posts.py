"""`IdempotentPosts`: a retry policy that treats some POST requests as reads."""

from __future__ import annotations

from typing import Any

from crawler.messages import Request
from crawler.messages.request import copy_unchecked

__all__ = ["IdempotentPosts"]


class IdempotentPosts:
    """A `RetryPolicy` that also retries the POST requests of one callback.

    By default a POST is not repeated (RFC 9110 section 9.2.2), but one that asks for a page of a list is a read.
    """

    def __init__(self, policy: Any, callback: str) -> None:
        self._policy = policy
        self._callback = callback

    def _as_read(self, request: Request) -> Request:
        return copy_unchecked(request, method="GET") if request.callback == self._callback else request

    def goes_back(self, request: Request, error: Any, refusals: int) -> bool:
        """See `RetryPolicy.goes_back`."""
        back: bool = self._policy.goes_back(self._as_read(request), error, refusals)
        return back

    def wait(self, request: Request, attempts: int, error: Any) -> float | None:
        """See `RetryPolicy.wait`."""
        seconds: float | None = self._policy.wait(self._as_read(request), attempts, error)
        return seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)
