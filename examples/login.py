"""Log in with a form, then crawl pages for members only.

::

    CLUB_PASSWORD=secret python -m crawler run examples/login.py -a user=ada -o orders.jsonl

The session cookie is stored and sent back as in a browser. The password comes from the environment, because other users
of the machine can read command lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from crawler import Response, Spider


class Orders(Spider):
    """Orders of one member."""

    user: str = "ada"
    start_urls = ["https://club.example/login"]

    def parse(self, response: Response) -> Iterator[object]:
        """Submit the login form as a browser would, hidden fields included."""
        form = response.form(css="input[type=password]")  # the form that contains a password field
        values = {"user": self.user, "password": os.environ["CLUB_PASSWORD"]}
        # The login may redirect to a page that was fetched before, such as this one: fetch it again.
        yield form.submit(values, callback=self.parse_home, dont_filter=True)

    def parse_home(self, response: Response) -> Iterator[object]:
        """Follow the orders. Without a logout link, the login has failed."""
        if not response.css("a.logout"):
            raise PermissionError(f"login of {self.user} failed: the page has no logout link")
        yield from response.follow_all("a.order", self.parse_order)

    def parse_order(self, response: Response) -> Iterator[object]:
        """Yield an item for one order."""
        yield {"order": response.css("h1::text").get(), "total": response.css(".total::text").get()}
