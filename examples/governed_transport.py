"""Limits around a transport of your own, and around an application in this process.

::

    python examples/governed_transport.py

`GovernedTransport` goes around any transport of httpx, below any client of httpx. Two of them with the same `Limits`
keep within one quota together.
"""

from __future__ import annotations

from typing import Any

import httpx
import trio

from crawler import Limits, Pace
from crawler.api_client import GovernedTransport


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    """The application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def main() -> None:
    """Three readers, and one budget: four requests in a second."""
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
