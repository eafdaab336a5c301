"""The spider of the chaos rig: an item for every page of a site that has one."""

from __future__ import annotations

from typing import Any

from crawler import Login, Produced, Request, Response, Spider


class Chaos(Spider):
    """Follows the lists of a site, the links of their pages, and the pages of a second host."""

    front: str
    """URL of the site."""
    late: str
    """URL of the second host."""
    second_pages: list[int]
    """Numbers of its pages."""
    needs_login: bool = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = [f"{self.front}/"]
        if self.needs_login:
            self.login = Login(f"{self.front}/login", {"user": "ada", "password": "engine-no-1"})

    def parse(self, response: Response) -> Produced:
        """Yield the lists, and the pages of the second host."""
        yield from response.follow_all("a[href^='/list/']", callback="pages")
        for number in self.second_pages:
            yield Request(f"{self.late}/p/{number}", "page")

    def pages(self, response: Response) -> Produced:
        """Yield the pages of a list."""
        yield from response.follow_all("a", callback="page")

    def page(self, response: Response) -> Produced:
        """Yield the item of a page, and its links."""
        if response.css(".raises"):
            raise ValueError("this page breaks its callback")
        for number in response.css("h1::text").getall():
            yield {"url": response.url, "n": int(number)}
            yield from response.follow_all("a", callback="page")
