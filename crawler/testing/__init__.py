"""The test kit: sites in memory, faults on the wire, virtual time; for the tests of spiders and plugins.

Four ways, the cheapest first: `callback_results` tests one callback without a crawl, `collect` crawls a `FakeSite`,
a `Wire` shows what happens below HTTP, and `fault_server` does on loopback what no server should. All of them are
asynchronous: use pytest-trio, and its ``autojump_clock`` where anything waits, but for the last, whose time is real.
"""

from __future__ import annotations

from crawler.testing.collect import Collected, callback_results, collect, response_for
from crawler.testing.fakesite import AnyPage, FakeSite, Page, Visit
from crawler.testing.faults import FAULT_CASES, FaultCase, FaultServer, fault_server
from crawler.testing.wire import Asked, Connection, Reply, Steps, Wire, WireHandler

__all__ = [
    "FAULT_CASES",
    "AnyPage",
    "Asked",
    "Collected",
    "Connection",
    "FakeSite",
    "FaultCase",
    "FaultServer",
    "Page",
    "Reply",
    "Steps",
    "Visit",
    "Wire",
    "WireHandler",
    "callback_results",
    "collect",
    "fault_server",
    "response_for",
]
