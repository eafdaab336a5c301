"""httpx with httpx-retries, in its default configuration: a refused page is requested again up to ten times.

It waits as long as ``Retry-After`` says, or with an exponential backoff.
"""
# httpx-retries is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,no-any-unimported"

from __future__ import annotations

import asyncio

import httpx
from httpx_retries import RetryTransport
from job import arguments, got, urls


async def main() -> None:
    """Request every page."""
    options = arguments()
    room = asyncio.Semaphore(options.at_once)

    async def fetch(http: httpx.AsyncClient, url: str) -> None:
        async with room:
            answer = await http.get(url)
        if answer.status_code == 200:
            got(url)

    async with httpx.AsyncClient(transport=RetryTransport(), timeout=30) as http, asyncio.TaskGroup() as tasks:
        for url in urls(options.front):
            tasks.create_task(fetch(http, url))


if __name__ == "__main__":
    asyncio.run(main())
