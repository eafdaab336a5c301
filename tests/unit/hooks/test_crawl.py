"""The protocols of a crawl: few members, and the crawl of the engine has each of them."""

from __future__ import annotations

import inspect

import pytest

from crawler.engine.crawl import Control, Cookies, JobFacts
from crawler.engine.crawl import Crawl as EngineCrawl
from crawler.hooks.crawl import Crawl, CrawlControl, CrawlCookies, CrawlJob


def members(kind: type) -> set[str]:
    """The public members of a class."""
    return {name for name in {*vars(kind), *kind.__annotations__} if not name.startswith("_")}


def test_a_crawl_has_at_most_15_members() -> None:
    assert len(members(Crawl)) <= 15


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(Crawl, EngineCrawl), (CrawlControl, Control), (CrawlJob, JobFacts), (CrawlCookies, Cookies)],
)
def test_the_engine_has_what_the_protocols_say(protocol: type, kind: type) -> None:
    assigned = inspect.getsource(kind.__init__)  # type: ignore[misc]
    assert {name for name in members(protocol) - members(kind) if f"self.{name}" not in assigned} == set()
