"""Two clients that prove the servers without the framework: one asks as it likes, one knows the limit."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import trio
from integration.rate_limiters.servers import Running

__all__ = ["MARGIN", "client", "greedy", "polite"]

MARGIN = 0.05
"""Seconds that the polite client waits beyond what it was told."""


def client() -> httpx.AsyncClient:
    """One that sets up no TLS, which would hold up everybody else for a while."""
    return httpx.AsyncClient(verify=False, timeout=30)


async def greedy(running: Running, pages: Sequence[int], *, at_once: int = 16) -> list[httpx.Response]:
    """Ask for every page once, `at_once` at a time, whatever the answers; gives the answers, by page."""
    answers: dict[int, httpx.Response] = {}
    waiting = iter(pages)

    async def work(http: httpx.AsyncClient) -> None:
        for n in waiting:
            answers[n] = await http.get(f"{running.url}page/{n}")

    async with client() as http, trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work, http)
    return [answers[n] for n in pages]


async def polite(running: Running, pages: Sequence[int]) -> list[httpx.Response]:
    """Ask for every page once, as fast as the limit allows, which it was told; gives the answers, by page.

    With a quota of 20 in 5 seconds a page goes when the answer to the one 20 before is 5 seconds old: no fixed window,
    no sliding one and no bucket of that size refuses it, however slow this client is. A limit of requests at once it
    keeps by asking so many at a time.
    """
    if running.server.at_once is not None:
        return await greedy(running, pages, at_once=running.server.at_once)
    quota = running.server.quotas[0]
    answers: dict[int, httpx.Response] = {}

    async def work(http: httpx.AsyncClient, mine: Sequence[int]) -> None:
        for k, n in enumerate(mine):
            if k:
                await trio.sleep(quota.seconds + MARGIN)
            answers[n] = await http.get(f"{running.url}page/{n}")

    async with client() as http, trio.open_nursery() as nursery:
        for k in range(quota.requests):
            nursery.start_soon(work, http, pages[k :: quota.requests])
    return [answers[n] for n in pages]
