"""Servers on loopback and transports for them: real sockets, real time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
from support.rawserver import Serve, start

from crawler.transport.curl import CurlTransport


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    """Return a function that starts a server, which runs until the end of the test."""
    return partial(start, nursery)


@pytest.fixture
async def transport() -> AsyncIterator[CurlTransport]:
    async with CurlTransport() as opened:
        yield opened
        assert opened.statistics().transfers == 0, "a response was not read and not closed"
