"""The options and the address of the web page."""

from __future__ import annotations

from typing import Any

import pytest
from crawler_plugins.web import Web
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Response, Settings, Spider, crawl
from crawler.testing import FakeSite

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


@pytest.mark.parametrize(
    ("options", "words"),
    [({"port": -1}, "port must be"), ({"port": 70_000}, "port must be"), ({"token": "short"}, "at least 8 characters")],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Web(**options)


@pytest.mark.parametrize("host", ["203.0.113.1", "nosuch.invalid"])
async def test_an_address_that_cannot_be_used_is_named(autojump_clock: MockClock, host: str) -> None:
    with pytest.raises((ConfigError, CrawlFailed), match=f"web: cannot listen on {host}:0: "):
        await crawl(One(), plugins=[Web(host=host)], transport=FakeSite({"/": "x"}).transport)
