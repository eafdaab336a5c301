"""A server with a quota per fixed window of trio's clock, as a handler of `httpx.MockTransport`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Literal

import httpx
import trio

__all__ = ["QuotaServer", "gentle"]


def gentle(_request: httpx.Request) -> float:
    """Return a cost of one unit for every request."""
    return 1.0


class QuotaServer:
    """A quota of `limit` units in `window` seconds; a window opens with its first request. Refusals cost nothing.

    Parameters:
        limit: units per window.
        window: length of a window in seconds.
        says: what responses declare: ``draft-6`` fields, ``legacy`` fields with an epoch, only the ``Retry-After`` of
            a refusal, or nothing.
        trip: seconds that a message takes, in each direction.
        cost: returns the units that a request costs.
    """

    def __init__(
        self,
        limit: float = 20,
        window: float = 5.0,
        *,
        says: Literal["draft-6", "legacy", "retry-after", "nothing"] = "draft-6",
        trip: float = 0.005,
        cost: Callable[[httpx.Request], float] = gentle,
    ) -> None:
        self.limit = limit
        self.window = window
        self.says = says
        self.trip = trip
        self.cost = cost
        self.epoch = time.time() - trio.current_time()
        self.served: list[float] = []
        """When requests were served, in seconds of trio's clock."""
        self.refused: list[float] = []
        self.paths: list[str] = []
        self.inflight = 0
        self.peak = 0
        self._opened = -math.inf
        self._used = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.inflight += 1
        self.peak = max(self.peak, self.inflight)
        try:
            await trio.sleep(self.trip)
            status, headers = self._decide(trio.current_time(), self.cost(request))
            self.paths.append(request.url.path)
            await trio.sleep(self.trip)
        finally:
            self.inflight -= 1
        return httpx.Response(status, headers=headers, text=request.url.path)

    def _decide(self, now: float, cost: float) -> tuple[int, Mapping[str, str]]:
        if now >= self._opened + self.window:
            self._opened, self._used = now, 0.0
        if self._used + cost > self.limit:
            self.refused.append(now)
            return 429, self._headers(now, refused=True)
        self._used += cost
        self.served.append(now)
        return 200, self._headers(now, refused=False)

    def _headers(self, now: float, *, refused: bool) -> dict[str, str]:
        left, ends = self.limit - self._used, self._opened + self.window
        wait = {"Retry-After": str(math.ceil(ends - now))} if refused else {}
        match self.says:
            case "draft-6":
                return wait | {
                    "RateLimit-Policy": f"{self.limit:g};w={self.window:g}",
                    "RateLimit-Limit": f"{self.limit:g}",
                    "RateLimit-Remaining": f"{left:g}",
                    "RateLimit-Reset": str(math.ceil(ends - now)),
                }
            case "legacy":
                return wait | {
                    "X-RateLimit-Limit": f"{self.limit:g}",
                    "X-RateLimit-Remaining": f"{left:g}",
                    "X-RateLimit-Reset": str(math.ceil(self.epoch + ends)),
                }
            case "retry-after":
                return wait
            case _:
                return {}
