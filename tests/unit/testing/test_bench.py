"""The site that a crawl is measured on."""

from __future__ import annotations

import pytest

from crawler.html import Selector
from crawler.testing.bench import LINKS, page


@pytest.mark.parametrize("pages", [1, 2, 7, 100])
def test_every_page_of_the_site_can_be_reached(pages):
    seen, waiting = {0}, [0]
    while waiting:
        links = _links(page(waiting.pop(), pages))
        assert len(links) == LINKS
        waiting += set(links) - seen
        seen |= set(links)
    assert seen == set(range(pages))


def _links(body):
    """The numbers of the pages that a page leads to."""
    hrefs = Selector(body.decode()).css("a::attr(href)").getall()
    return [int(href.removeprefix("/page/") if href != "/" else 0) for href in hrefs]
