"""The test kit for spiders and plugins: sites in memory, faults on the wire, and virtual time.

There are three ways to test, from the cheapest to the most realistic: `callback_results` runs one callback without a
crawl, `collect` crawls a `FakeSite`, and `Wire` simulates connections below HTTP. All of them are asynchronous: use
pytest-trio, and its ``autojump_clock`` where a test waits.
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
