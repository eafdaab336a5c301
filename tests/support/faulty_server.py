"""A server in virtual time whose responses fail at random, and the shortest time that a crawl of it can take."""

from __future__ import annotations

import heapq
import random
from collections.abc import AsyncIterator, Mapping

import attrs
import httpx
import trio

__all__ = ["KINDS", "FaultyServer", "shortest_time"]

KINDS = ("reset", "cut", "503", "429", "drip")
"""Connection reset, body that breaks off, two refusals without a stated wait, and a body that takes `DRIP` seconds."""
DRIP = 3.0


class Broken(httpx.AsyncByteStream):
    """A body that breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"x"
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


@attrs.define(eq=False)
class FaultyServer(httpx.AsyncBaseTransport):
    """A server without limits that takes 50 to 150 ms.

    Parameters:
        chance: Source of randomness.
        shares: Share of the responses that have a fault, by kind.
    """

    chance: random.Random
    shares: Mapping[str, float]

    def draw(self) -> tuple[str, float]:
        """Return the fault of the next response, or ``ok``, and the seconds that it takes."""
        latency = self.chance.uniform(0.05, 0.15)
        kind = self.chance.choices([*self.shares, "ok"], [*self.shares.values(), 1.0 - sum(self.shares.values())])[0]
        return kind, latency + DRIP if kind == "drip" else latency if kind in ("ok", "cut") else latency / 2

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond, or fail."""
        kind, seconds = self.draw()
        await trio.sleep(seconds)
        if kind == "reset":
            raise httpx.ReadError("connection reset", request=request)
        if kind == "cut":
            return httpx.Response(200, stream=Broken())
        return httpx.Response(int(kind) if kind.isdigit() else 200, content=b"x")


def shortest_time(server: FaultyServer, pages: int, at_once: int) -> float:
    """Return the seconds that a client needs that repeats every failure at once, with so many requests in flight."""
    ends = [0.0] * at_once
    while pages:
        kind, seconds = server.draw()
        heapq.heappush(ends, heapq.heappop(ends) + seconds)
        pages -= kind in ("ok", "drip")
    return max(ends)
