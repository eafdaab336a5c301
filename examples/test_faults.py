"""Tests of a spider against a server that does everything wrong.

::

    cd examples
    python -m pytest test_faults.py

What is sent, and when, is real here: no ``autojump_clock``. ``python -m crawler.testing.faults`` opens the same server
to be looked at and to be tried by hand.
"""

from __future__ import annotations

import pytest
from quotes import Quotes

from crawler import Settings, crawl
from crawler.testing import FAULT_CASES, fault_server


@pytest.mark.trio
async def test_what_is_missing_is_told_by_kind() -> None:
    """Two pages that cannot be had, and what the report says of them."""
    async with fault_server() as server:
        spider = Quotes(start_urls=[server.url("close-in-headers"), server.url("tls-1.0"), server.url("ok")])
        report = await crawl(spider, settings=Settings(attempts=1))
    assert (report.pages, report.failed) == (1, 2)
    assert report.kinds == {"broken_exchange.closed": 1, "connect_failed.tls_version": 1}


@pytest.mark.trio
@pytest.mark.parametrize("name", ["text-shift-jis", "bomb-gzip", "redirect-loop-two", "line-control-characters"])
async def test_nothing_that_a_server_sends_breaks_the_spider(name: str) -> None:
    """The callback never raises, whatever comes."""
    async with fault_server() as server:
        report = await crawl(Quotes(start_urls=[server.url(name)]), settings=Settings(attempts=1))
    assert "hook_error" not in report.failures
    assert report.failed == (1 if FAULT_CASES[name].error else 0)
