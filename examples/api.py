"""Read a paginated JSON API, with a second request for each entry.

::

    python -m crawler run examples/api.py -o users.jsonl
    python -m crawler run examples/api.py -a start_urls=http://127.0.0.1:8000/users -o -

``await self.crawl.fetch(request)`` returns a response inside a callback, whatever its status. The request obeys the
limits of its host like any other, and starts before the requests in the queue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from crawler import Pace, Request, Response, Settings, Spider


class Users(Spider):
    """Users of an API, each with the number of their posts."""

    start_urls = ["https://api.example/users"]
    settings = Settings(pacing={"api.example": Pace(rate="100/min", burst=10)})

    async def parse(self, response: Response) -> AsyncIterator[object]:
        """Yield the users of one page of the list, then follow the next page."""
        page = response.json()
        for user in page["users"]:
            posts = await self.crawl.fetch(Request(response.urljoin(f"/users/{user['id']}/posts")))
            yield {"name": user["name"], "posts": len(posts.json()) if posts.status == 200 else None}
        if page["next"] is not None:
            yield response.follow(page["next"])
