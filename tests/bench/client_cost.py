"""The overhead of `crawler.client` over httpx, on the same transport in memory.

::

    python tests/bench/client_cost.py

Microseconds of CPU per sequential `get`: of a plain `httpx.AsyncClient`, of a client with limits whose server declares
none, and of one whose server declares a quota in every response. Medians of 5 alternating rounds.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import httpx
import trio

from crawler import client

ROUNDS, TURNS = 5, 2000
QUOTA = {"RateLimit-Policy": '"default";q=1000000;w=60', "RateLimit": '"default";r=999000;t=30'}


def transport(headers: Mapping[str, str]) -> httpx.MockTransport:
    """A server in memory."""
    return httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, content=b"ok"))


async def cost(http: httpx.AsyncClient) -> float:
    """Return the microseconds of CPU for one request."""
    begun = time.process_time()
    for _ in range(TURNS):
        response = await http.get("https://api.example.com/users")
        assert response.status_code == 200
    return (time.process_time() - begun) / TURNS * 1e6


async def main() -> None:
    """Measure and print."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        async with httpx.AsyncClient(transport=transport({})) as http:
            found.setdefault("httpx alone", []).append(await cost(http))
        async with client(transport=transport({})) as http:
            found.setdefault("client", []).append(await cost(http))
        async with client(transport=transport(QUOTA)) as http:
            found.setdefault("client, a quota in each answer", []).append(await cost(http))
    alone = statistics.median(found["httpx alone"])
    for name, figures in found.items():
        middle = statistics.median(figures)
        print(f"{name:32} {middle:7.1f} us {middle - alone:+7.1f}")


if __name__ == "__main__":
    trio.run(main)
