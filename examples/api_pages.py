"""Read a paginated API with `ApiSpider`, and request the details of each item.

::

    API_TOKEN=... python -m crawler run examples/api_pages.py --job users-job -o users.jsonl
    API_TOKEN=... python -m crawler run examples/api_pages.py -a url=http://127.0.0.1:8000/users -o -

If the job is interrupted, the same command resumes it with the next page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler import Response
from crawler.spiders import ApiSpider


class Users(ApiSpider):
    """Users of an API, each with the number of their posts."""

    url = "https://api.example/users"
    items = "data"  # path of the list of items in the response
    next = "cursor:meta.next"  # path of the next cursor, which is sent as ?cursor=
    size = 50  # ?limit=50
    token = "env:API_TOKEN"  # from the environment; sent to this API only, and not stored in the job

    def parse_item(self, item: Any, response: Response) -> Iterator[object]:
        """Request the posts of a user."""
        yield response.follow(f"/users/{item['id']}/posts", self.parse_posts, cb_kwargs={"name": item["name"]})

    def parse_posts(self, response: Response, name: str) -> Iterator[object]:
        """Yield the name of a user and the number of posts."""
        yield {"name": name, "posts": len(response.json())}
