"""`CurlDriver`: faults in the event loop of libcurl end its transfers, and nothing else."""

from __future__ import annotations

import httpx
import pycurl
import pytest
import trio
from support.rawserver import answers, get, ok

from crawler.transport.transfer import Transfer


async def hangs(peer):
    await peer.request()
    await peer.receive()  # until the client disconnects


async def test_a_fault_of_ours_ends_the_transfers_and_not_the_program(serve, transport, monkeypatch):
    server = await serve(hangs)
    good = await serve(answers(ok()))

    async def faulty():  # noqa: ASYNC124
        raise LookupError("a bug")

    await get(transport, good.url)
    monkeypatch.setattr(transport._driver._poller, "wait", faulty)
    with pytest.raises(httpx.TransportError, match="the HTTP engine failed: LookupError"):
        await get(transport, server.url)
    assert (await get(transport, good.url)).content == b"ok"


async def test_a_fault_in_a_callback_ends_the_transfers_and_not_the_program(serve, transport, monkeypatch):
    server = await serve(answers(ok()))

    def faulty(fd, interest):
        raise LookupError("a bug")

    await get(transport, server.url)
    monkeypatch.setattr(transport._driver._poller, "watch", faulty)
    with pytest.raises(httpx.TransportError, match="the HTTP engine failed: LookupError"):
        await get(transport, server.url)
    assert (await get(transport, server.url)).content == b"ok"


async def test_a_fault_of_libcurl_ends_the_transfers_and_not_the_program(serve, transport):
    server = await serve(answers(ok()))
    await get(transport, server.url)

    class Faulty:
        def __init__(self, multi):
            self.multi = multi

        def __getattr__(self, name):
            return getattr(self.multi, name)

        def socket_action(self, fd, flags):
            raise pycurl.error(pycurl.E_MULTI_INTERNAL_ERROR, "a bug")

    transport._driver._multi = Faulty(transport._driver._multi)
    with pytest.raises(httpx.TransportError, match="the HTTP engine failed: error"):
        await get(transport, server.url)
    assert (await get(transport, server.url)).content == b"ok"


async def test_a_fault_at_the_end_of_a_transfer_ends_that_one_too(serve, transport, monkeypatch):
    server = await serve(answers(ok()))

    def faulty(*_):
        raise LookupError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Transfer, "end", faulty)
        with trio.fail_after(5), pytest.raises(LookupError, match="a bug"):
            await get(transport, server.url)
    assert (await get(transport, server.url)).content == b"ok"
