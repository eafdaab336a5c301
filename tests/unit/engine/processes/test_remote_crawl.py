"""`RemoteCrawl` has what a crawl has; `tests/crawl/test_processes.py` uses it."""

from __future__ import annotations

import pytest

from crawler import Settings, Spider
from crawler.engine.processes.remote_crawl import METHODS, REFUSED, VALUES, RemoteCrawl
from crawler.hooks.plugin import Crawl


def names_of(kind: type) -> set[str]:
    """Return the public members of a class."""
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_member_of_a_crawl_is_there_asked_for_or_refused() -> None:
    own = names_of(RemoteCrawl) | {"spider", "plugins", "settings", "clock"}
    assert names_of(Crawl) <= own | VALUES | METHODS | REFUSED.keys()


async def test_a_member_that_no_crawl_has_is_an_attribute_error() -> None:
    crawl = RemoteCrawl(Spider(), [], Settings(), None, None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="a crawl has no attribute 'quit'"):
        crawl.quit()
