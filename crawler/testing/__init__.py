"""The test kit: sites in memory, faults on the wire, virtual time; for the tests of spiders and plugins.

Three ways, the cheapest first: `callback_results` tests one callback without a crawl, `collect` crawls a `FakeSite`,
and a `Wire` shows what happens below HTTP. All of them are asynchronous: use pytest-trio, and its ``autojump_clock``
where anything waits.
"""

from __future__ import annotations

from crawler.testing.collect import Collected, callback_results, collect, response_for
from crawler.testing.fakesite import AnyPage, FakeSite, Page, Visit
from crawler.testing.wire import Asked, Connection, Reply, Steps, Wire, WireHandler

__all__ = [
    "AnyPage",
    "Asked",
    "Collected",
    "Connection",
    "FakeSite",
    "Page",
    "Reply",
    "Steps",
    "Visit",
    "Wire",
    "WireHandler",
    "callback_results",
    "collect",
    "response_for",
]
