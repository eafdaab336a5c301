"""Sites and spiders that the tests of the engine share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from crawler import Produced, Response, Settings, Spider
from crawler.testing import FakeSite, Page

__all__ = ["FREE", "LINKS", "Follow", "FrontPage", "tree", "tree_urls"]

FREE = Settings(obey_robots=False)
"""The settings of most tests: robots.txt is ignored, everything else is the default."""
LINKS = {"/": "<a href='/a'>x</a><a href='/b'>x</a>", "/a": "x", "/b": "x"}
"""The pages of a site by path: the first one links to two others."""


class FrontPage(Spider):
    """Fetches one page and yields nothing: the base class of spiders in tests."""

    start_urls = ["https://site.test/"]
    settings = FREE

    def parse(self, response: Response) -> Produced:
        return None


class Follow(Spider):
    """Follows every link and yields an item per page."""

    start_urls = ["https://site.test/"]
    settings = FREE

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}
        yield from response.follow_all()


def _paths(fan: int, depth: int, path: str = "") -> Iterator[str]:
    yield path or "/"
    if depth:
        for child in range(fan):
            yield from _paths(fan, depth - 1, f"{path}/{child}")


def tree(fan: int, depth: int, *, hosts: int = 1, chance: random.Random | None = None, most: float = 1.0) -> FakeSite:
    """Return a site of several hosts whose pages link to `fan` others each, `depth` levels deep, with random delays."""
    chance = chance or random.Random(0)
    pages: dict[str, Any] = {}
    for path in _paths(fan, depth):
        level = path.count("/") if path != "/" else 0
        here = "" if path == "/" else path
        links = "".join(f"<a href='{_host(here + f'/{child}', hosts)}{here}/{child}'>x</a>" for child in range(fan))
        back = "<a href='/'>home</a>"
        pages[_host(here, hosts) + path] = Page(back + (links if level < depth else ""), delay=chance.random() * most)
    for number in range(hosts):
        pages.setdefault(f"{_name(number)}/", "home")
    return FakeSite(pages)


def _name(number: int) -> str:
    return f"https://h{number}.test" if number else "https://site.test"


def _host(path: str, hosts: int) -> str:
    return _name(sum(map(ord, path.replace("/", ""))) % hosts)


def tree_urls(site: FakeSite) -> set[str]:
    """Return the URLs of all pages of a tree."""
    return set(site.pages)
