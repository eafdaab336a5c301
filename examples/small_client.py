"""A minimal API client: httpx with a rate limit.

::

    python examples/small_client.py https://api.example/users
"""

from __future__ import annotations

import sys

import trio

from crawler import client


async def main(users: str) -> None:
    """Print the names of all users."""
    async with client(rate="600/min") as http:
        response = await http.get(users)
        async for user in http.map(response.json()):
            print(user.json()["name"])


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
