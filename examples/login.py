"""Crawl pages for members only.

::

    CLUB_PASSWORD=secret python -m crawler run examples/login.py -a user=ada -o orders.jsonl

The crawl logs in before its first page, and again whenever the site has ended its session. The password comes from the
environment, because other users of the machine can read command lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Login, Response, Spider


class Orders(Spider):
    """Orders of one member."""

    user: str = "ada"
    login_page: str = "https://club.example/login"
    start_urls = ["https://club.example/home"]

    @property
    def login(self) -> Login:
        """Fill in the form of the login page; its hidden fields keep their values."""
        return Login(self.login_page, {"user": self.user, "password": "env:CLUB_PASSWORD"}, check="a.logout")

    def parse(self, response: Response) -> Iterator[object]:
        """Follow the orders."""
        yield from response.follow_all("a.order", self.parse_order)

    def parse_order(self, response: Response) -> Iterator[object]:
        """Yield an item for one order."""
        yield {"order": response.css("h1::text").get(), "total": response.css(".total::text").get()}
