"""A JSON API whose lists have pages, and whose entries need a second request each.

::

    python -m crawler run examples/api.py -o users.jsonl
    python -m crawler run examples/api.py -a start_urls=http://127.0.0.1:8000/users -o -

``await self.crawl.fetch(request)`` gives a response inside of a callback. It keeps the pace of its host as every other
request does, goes ahead of those that are queued, and returns whatever status comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from crawler import Pace, Request, Response, Settings, Spider


class Users(Spider):
    """Every user of an API, with the number of posts."""

    start_urls = ["https://api.example/users"]
    settings = Settings(pacing={"api.example": Pace(rate="100/min", burst=10)})

    async def parse(self, response: Response) -> AsyncIterator[object]:
        """One page of the list."""
        page = response.json()
        for user in page["users"]:
            posts = await self.crawl.fetch(Request(response.urljoin(f"/users/{user['id']}/posts")))
            yield {"name": user["name"], "posts": len(posts.json()) if posts.status == 200 else None}
        if page["next"] is not None:
            yield response.follow(page["next"])
