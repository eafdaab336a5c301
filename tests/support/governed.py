"""Governed clients for tests, and servers that answer by a script."""

from __future__ import annotations

import random
from typing import Any

import httpx
import trio

from crawler.api_client.transport import GovernedTransport

API = "https://api.test/"


def governed(handler: Any, **options: Any) -> httpx.AsyncClient:
    """Return a client over a governed transport."""
    options = {"chance": random.Random(3)} | options
    transport = handler if isinstance(handler, httpx.AsyncBaseTransport) else httpx.MockTransport(handler)
    return httpx.AsyncClient(transport=GovernedTransport(transport, **options))


def is_idle(http: httpx.AsyncClient) -> bool:
    """Return whether no place is taken, no start is unsettled, and no request waits."""
    transport: Any = http._transport
    throttles = transport.limits.throttles.values()
    waiting = [limit.waiting for limit in transport._context.queue._queues.values()]
    return not any(waiting) and all(not throttle.busy and not throttle.inflight for throttle in throttles)


async def get_all(http: httpx.AsyncClient, count: int, *, workers: int = 16, **options: Any) -> list[int]:
    """Send so many requests, and return the statuses of their responses."""
    numbers = iter(range(count))
    statuses: list[int] = []

    async def worker() -> None:
        for number in numbers:
            answer = await http.get(f"{API}{number}", **options)
            statuses.append(answer.status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(workers):
            nursery.start_soon(worker)
    return statuses


class Script:
    """A server that returns responses, or raises errors, one after the other; the last one for good."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, float]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.01)
        self.asked.append((request.method, trio.current_time()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, type) and issubclass(answer, Exception):
            raise answer("broken", request=request)
        return httpx.Response(answer) if isinstance(answer, int) else answer()
