"""Log in by a form, then crawl what only members see.

::

    CLUB_PASSWORD=secret python -m crawler run examples/login.py -a user=ada -o orders.jsonl

Cookies are kept as a browser keeps them, so whoever has logged in once stays so. The password comes from the
environment: what stands on a command line can be read by every user of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from crawler import Response, Spider


class Orders(Spider):
    """The orders of one member."""

    user: str = "ada"
    start_urls = ["https://club.example/login"]

    def parse(self, response: Response) -> Iterator[object]:
        """The form goes back as a browser sends it, with its hidden fields, a user and a password."""
        form = response.form(css="input[type=password]")  # the form that has such a field
        values = {"user": self.user, "password": os.environ["CLUB_PASSWORD"]}
        # The answer may be a redirect to a page that is known, such as this one: it is to be fetched again.
        yield form.submit(values, callback=self.parse_home, dont_filter=True)

    def parse_home(self, response: Response) -> Iterator[object]:
        """The page behind the login. Without a link to log out, we are not inside."""
        if not response.css("a.logout"):
            raise PermissionError(f"the login of {self.user} was refused")
        yield from response.follow_all("a.order", self.parse_order)

    def parse_order(self, response: Response) -> Iterator[object]:
        """One order."""
        yield {"order": response.css("h1::text").get(), "total": response.css(".total::text").get()}
