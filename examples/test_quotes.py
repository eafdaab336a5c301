"""Test a spider without a network; an hour of waiting takes milliseconds.

::

    cd examples
    python -m pytest test_quotes.py

A `FakeSite` is a dictionary of pages. The fixture ``autojump_clock`` of pytest-trio replaces the clock by a virtual
one: when all tasks wait, it jumps to the next event.
"""

from __future__ import annotations

import pytest
from quotes import Quotes
from trio.testing import MockClock

from crawler.testing import FakeSite, Page, callback_results, collect, response_for

ONE = "<div class=quote><span class=text>Know thyself.</span> <small class=author>Thales</small></div>"
NEXT = "<li class=next><a href='/page/2'>Next</a></li>"


@pytest.mark.trio
async def test_a_page_yields_its_quotes_and_the_next_page() -> None:
    """Call the callback alone, without a crawl."""
    response = response_for("https://quotes.example/", ONE + NEXT)
    item, request = await callback_results(Quotes(), response)
    assert item == {"text": "Know thyself.", "by": "Thales"}
    assert request.url == "https://quotes.example/page/2"


@pytest.mark.trio
async def test_a_request_refused_with_429_is_repeated_after_retry_after(autojump_clock: MockClock) -> None:
    """Crawl a server that refuses a request and sends ``Retry-After: 3600``."""
    busy = Page(status=429, headers={"Retry-After": "3600"})
    site = FakeSite({"/": ONE + NEXT, "/page/2": [busy, ONE]}, host="https://quotes.example")
    found = await collect(Quotes(), site)
    assert len(found.items) == 2
    first, second = site.visits("/page/2")
    assert second.at - first.at >= 3600
    assert autojump_clock.current_time() < 3700
    assert (found.report.pages, found.report.retries, found.report.failed) == (2, 1, 0)
