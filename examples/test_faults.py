"""Test a spider against a server that sends broken responses.

::

    cd examples
    python -m pytest test_faults.py

These tests use real sockets in real time, so they cannot use ``autojump_clock``. ``python -m crawler.testing.faults``
starts the same server for manual tests.
"""

from __future__ import annotations

import pytest
from quotes import Quotes

from crawler import Settings, crawl
from crawler.testing import FAULT_CASES, fault_server


@pytest.mark.trio
async def test_failures_are_counted_by_kind() -> None:
    """Two pages fail, and the report says how."""
    async with fault_server() as server:
        spider = Quotes(start_urls=[server.url("close-in-headers"), server.url("tls-1.0"), server.url("ok")])
        report = await crawl(spider, settings=Settings(attempts=1))
    assert (report.pages, report.failed) == (1, 2)
    assert report.kinds == {"broken_exchange.closed": 1, "connect_failed.tls_version": 1}


@pytest.mark.trio
@pytest.mark.parametrize("name", ["text-shift-jis", "bomb-gzip", "redirect-loop-two", "line-control-characters"])
async def test_the_callback_handles_any_response(name: str) -> None:
    """The callback does not raise, whatever the server sends."""
    async with fault_server() as server:
        report = await crawl(Quotes(start_urls=[server.url(name)]), settings=Settings(attempts=1))
    assert "hook_error" not in report.failures
    assert report.failed == (1 if FAULT_CASES[name].error else 0)
