"""The test kit for spiders and plugins: sites in memory, faults on the wire, and virtual time.

There are four ways to test, from the cheapest to the most realistic: `callback_results` runs one callback without a
crawl, `collect` crawls a `FakeSite`, `Wire` simulates connections below HTTP, and `fault_server` produces faults on
loopback. All of them are asynchronous: use pytest-trio. Where a test waits, use its ``autojump_clock``, except with
`fault_server`, which works in real time.
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
