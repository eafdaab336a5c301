"""Apply rate limits to any httpx transport, here one that calls an application in this process.

::

    python examples/governed_transport.py

`GovernedTransport` wraps any httpx transport and works with any `httpx.AsyncClient`. Transports that share one `Limits`
object share their quotas.
"""

from __future__ import annotations

from typing import Any

import httpx
import trio

from crawler import Limits, Pace
from crawler.api_client import GovernedTransport


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    """A minimal ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def main() -> None:
    """Run three readers that share a budget of four requests per second."""
    limits = Limits({"key:mine": Pace(rate="4/s")})
    started = trio.current_time()

    async def reader(name: str) -> None:
        transport = GovernedTransport(httpx.ASGITransport(app), limits=limits)
        async with httpx.AsyncClient(transport=transport) as http:
            for _ in range(3):
                await http.get(f"http://{name}.test/", extensions={"quotas": {"key:mine": 1}})

    async with trio.open_nursery() as nursery:
        for name in ("one", "two", "three"):
            nursery.start_soon(reader, name)
    print(f"9 requests in {trio.current_time() - started:.0f} s")


if __name__ == "__main__":
    trio.run(main)
