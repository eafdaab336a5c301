"""Tests of a spider: no network, and hours that pass in milliseconds.

::

    cd examples
    python -m pytest test_quotes.py

A `FakeSite` is a dictionary of pages. With the fixture ``autojump_clock`` of pytest-trio every wait is over at once,
while all clocks, those of the crawl included, go on as if it had been waited for.
"""

from __future__ import annotations

import pytest
from quotes import Quotes
from trio.testing import MockClock

from crawler.testing import FakeSite, Page, callback_results, collect, response_for

ONE = "<div class=quote><span class=text>Know thyself.</span> <small class=author>Thales</small></div>"
NEXT = "<li class=next><a href='/page/2'>Next</a></li>"


@pytest.mark.trio
async def test_a_page_gives_its_quotes_and_the_next_page() -> None:
    """A callback alone, without a crawl."""
    response = response_for("https://quotes.example/", ONE + NEXT)
    item, request = await callback_results(Quotes(), response)
    assert item == {"text": "Know thyself.", "by": "Thales"}
    assert request.url == "https://quotes.example/page/2"


@pytest.mark.trio
async def test_a_busy_server_is_asked_again_when_it_wants_to_be(autojump_clock: MockClock) -> None:
    """A whole crawl, against a server that asks for an hour's rest."""
    busy = Page(status=429, headers={"Retry-After": "3600"})
    site = FakeSite({"/": ONE + NEXT, "/page/2": [busy, ONE]}, host="https://quotes.example")
    found = await collect(Quotes(), site)
    assert len(found.items) == 2
    first, second = site.visits("/page/2")
    assert second.at - first.at >= 3600
    assert autojump_clock.current_time() < 3700
    assert (found.report.pages, found.report.retries, found.report.failed) == (2, 1, 0)
