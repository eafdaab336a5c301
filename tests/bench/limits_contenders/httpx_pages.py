"""httpx with aiolimiter, configured with the quota, as a hand-written program.

A refused page is requested again, up to ten times in all: after the seconds in ``Retry-After``, or after one second.
"""
# aiolimiter is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported"

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
from aiolimiter import AsyncLimiter
from job import arguments, got, urls

ATTEMPTS = 10


async def main() -> None:
    """Request every page."""
    options = arguments()
    quotas = [map(int, text.split("/")) for text in options.quota]
    limiters = [AsyncLimiter(requests, seconds) for requests, seconds in quotas]
    room = asyncio.Semaphore(options.at_once)

    async def fetch(http: httpx.AsyncClient, url: str) -> None:
        for _ in range(ATTEMPTS):
            async with AsyncExitStack() as passed:
                for limiter in limiters:
                    await passed.enter_async_context(limiter)
                await passed.enter_async_context(room)
                answer = await http.get(url)
            if answer.status_code == 200:
                got(url)
                return
            wait = answer.headers.get("retry-after", "")
            await asyncio.sleep(int(wait) if wait.isdigit() else 1)

    async with httpx.AsyncClient(timeout=30) as http, asyncio.TaskGroup() as tasks:
        for url in urls(options.front):
            tasks.create_task(fetch(http, url))


if __name__ == "__main__":
    asyncio.run(main())
