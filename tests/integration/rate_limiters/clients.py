"""Two clients that test the servers without the framework: one ignores the limit, one obeys it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import trio
from integration.rate_limiters.servers import Running

__all__ = ["MARGIN", "client", "evenly", "greedy", "polite"]

MARGIN = 0.05
"""Seconds that the polite client waits in addition to the window, and the part by which it is slower than a rate."""


def client() -> httpx.AsyncClient:
    """Return a client without TLS, whose set-up would block the other tasks."""
    return httpx.AsyncClient(verify=False, timeout=30)


async def greedy(running: Running, pages: Sequence[int], *, at_once: int = 16) -> list[httpx.Response]:
    """Request every page once, `at_once` at a time; return the responses in the order of `pages`."""
    answers: dict[int, httpx.Response] = {}
    waiting = iter(pages)

    async def work(http: httpx.AsyncClient) -> None:
        for n in waiting:
            answers[n] = await http.get(running.page(n))

    async with client() as http, trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work, http)
    return [answers[n] for n in pages]


async def polite(running: Running, pages: Sequence[int]) -> list[httpx.Response]:
    """Request every page once, as fast as the known limit allows; return the responses in the order of `pages`.

    With a quota of 20 in 5 seconds, a page is requested when the response to the one 20 before is 5 seconds old. No
    fixed window, sliding window or bucket of that size refuses it, however slow this client is. If the server limits
    concurrency, the client has that many requests in flight. A counter is used up at once, and from then on evenly.
    """
    if running.server.refill == "counter":
        return await evenly(running, pages)
    if running.server.at_once is not None:
        return await greedy(running, pages, at_once=running.server.at_once)
    quota = running.server.quotas[0]
    answers: dict[int, httpx.Response] = {}

    async def work(http: httpx.AsyncClient, mine: Sequence[int]) -> None:
        for k, n in enumerate(mine):
            if k:
                await trio.sleep(quota.seconds + MARGIN)
            answers[n] = await http.get(running.page(n))

    async with client() as http, trio.open_nursery() as nursery:
        for k in range(quota.requests):
            nursery.start_soon(work, http, pages[k :: quota.requests])
    return [answers[n] for n in pages]


async def evenly(running: Running, pages: Sequence[int]) -> list[httpx.Response]:
    """Request as many pages as a counter accepts at once; after its length, request the others as units return."""
    (quota,) = running.server.quotas
    answers = await greedy(running, pages[: quota.requests])
    await trio.sleep(quota.seconds + MARGIN)
    async with client() as http:
        for n in pages[quota.requests :]:
            await trio.sleep(quota.seconds / quota.requests * (1 + MARGIN))
            answers.append(await http.get(running.page(n)))
    return answers
