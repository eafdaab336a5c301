"""The items of an API, page by page; each leads to a request for its details.

::

    API_TOKEN=... python -m crawler run examples/api_pages.py --job users-job -o users.jsonl
    API_TOKEN=... python -m crawler run examples/api_pages.py -a url=http://127.0.0.1:8000/users -o -

Stopped in the middle, the same command goes on with the page that was next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler import Response
from crawler.spiders import ApiSpider


class Users(ApiSpider):
    """Every user, with the number of posts."""

    url = "https://api.example/users"
    items = "data"  # where the items of a page stand
    next = "cursor:meta.next"  # and the cursor of the page behind it, which goes into ?cursor=
    size = 50  # ?limit=50
    token = "env:API_TOKEN"  # from the environment, sent to this API only and not kept in the job

    def parse_item(self, item: Any, response: Response) -> Iterator[object]:
        """One user of a page."""
        yield response.follow(f"/users/{item['id']}/posts", self.parse_posts, cb_kwargs={"name": item["name"]})

    def parse_posts(self, response: Response, name: str) -> Iterator[object]:
        """The posts of a user."""
        yield {"name": name, "posts": len(response.json())}
