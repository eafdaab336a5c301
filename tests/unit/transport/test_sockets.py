"""All pollers for libcurl's sockets behave in the same way."""

from __future__ import annotations

import select
import socket
import types

import httpx
import pycurl
import pytest
import trio
import trio.testing
from support.kqueue import use_kqueue
from support.rawserver import answers, get, ok, until

import crawler.transport.driver
from crawler.transport.curl import CurlTransport
from crawler.transport.sockets import EpollPoller, KqueuePoller, TaskPoller, open_poller


@pytest.fixture(params=[EpollPoller, KqueuePoller, TaskPoller])
def poller(request, monkeypatch):
    use_kqueue(monkeypatch)
    opened = request.param()
    yield opened
    opened.close()


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_linux_has_one_epoll():
    opened = open_poller()
    assert isinstance(opened, EpollPoller)
    opened.close()


def test_macos_has_one_kqueue_and_other_systems_have_neither(monkeypatch):
    use_kqueue(monkeypatch)
    names = {name: value for name, value in vars(select).items() if "epoll" not in name.lower()}
    monkeypatch.setattr(crawler.transport.sockets, "SYSTEM", types.SimpleNamespace(**names))
    opened = open_poller()
    assert isinstance(opened, KqueuePoller)
    opened.close()
    monkeypatch.setattr(crawler.transport.sockets, "SYSTEM", types.SimpleNamespace())
    assert isinstance(open_poller(), TaskPoller)


async def test_readable_and_writable(poller, pair):
    left, right = pair
    poller.watch(left.fileno(), pycurl.POLL_OUT)
    assert await poller.wait() == [(left.fileno(), pycurl.CSELECT_OUT)]
    poller.watch(left.fileno(), pycurl.POLL_IN)
    with trio.move_on_after(0.02) as scope:
        await poller.wait()
    assert scope.cancelled_caught
    right.send(b"x")
    assert await poller.wait() == [(left.fileno(), pycurl.CSELECT_IN)]
    poller.watch(left.fileno(), pycurl.POLL_INOUT)
    ready = await poller.wait()
    assert ready[0][1] & pycurl.CSELECT_OUT


async def test_a_newly_watched_socket_wakes_the_waiting_task(poller, pair, nursery):
    left, right = pair
    poller.watch(left.fileno(), pycurl.POLL_IN)
    waited = []

    async def wait():
        while not waited:
            waited.extend(await poller.wait())

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    poller.watch(right.fileno(), pycurl.POLL_OUT)
    await until(lambda: waited)
    assert waited == [(right.fileno(), pycurl.CSELECT_OUT)]


async def test_a_socket_that_is_given_up_is_not_reported_any_more(poller, pair, nursery):
    left, right = pair
    poller.watch(left.fileno(), pycurl.POLL_IN)
    right.send(b"x")
    poller.watch(left.fileno(), pycurl.POLL_REMOVE)
    poller.watch(left.fileno(), pycurl.POLL_REMOVE)
    with trio.move_on_after(0.02) as scope:
        while True:
            assert await poller.wait() == []
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


@pytest.mark.parametrize("before", [pycurl.POLL_IN, pycurl.POLL_OUT])
async def test_a_number_that_comes_back_is_a_new_socket(poller, before):
    first, other = socket.socketpair()
    number = first.fileno()
    poller.watch(number, before)
    first.close()
    other.close()
    left, right = socket.socketpair()
    with left, right:
        assert number in (left.fileno(), right.fileno())
        poller.watch(number, pycurl.POLL_OUT)
        with trio.fail_after(5):
            assert await poller.wait() == [(number, pycurl.CSELECT_OUT)]


async def test_a_socket_may_be_closed_at_any_moment_of_a_wait(poller, nursery):
    for turns in [0, 1, 2] * 8:
        left, right = socket.socketpair()
        poller.watch(left.fileno(), pycurl.POLL_IN)
        with trio.CancelScope() as scope, left, right:
            nursery.start_soon(cancel_after, scope, turns, poller, left)
            while True:
                assert await poller.wait() == []
                await trio.lowlevel.checkpoint()


async def cancel_after(scope, turns, poller, watched):
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    poller.watch(watched.fileno(), pycurl.POLL_REMOVE)
    watched.close()
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_the_end_of_the_peer_is_reported_as_something_to_read(poller, pair):
    left, right = pair
    poller.watch(left.fileno(), pycurl.POLL_IN)
    right.close()
    ((fd, flags),) = await poller.wait()
    assert fd == left.fileno()
    assert flags & pycurl.CSELECT_IN


@pytest.mark.parametrize("kind", [KqueuePoller, TaskPoller])
async def test_the_transport_works_without_epoll(serve, monkeypatch, kind):
    use_kqueue(monkeypatch)
    monkeypatch.setattr(crawler.transport.driver, "open_poller", kind)

    async def slow(peer):
        while await peer.request():
            await trio.sleep(0.02)
            await peer.send(ok(bytes(100_000)))

    server = await serve(slow)
    quick = await serve(answers(ok(b"ok", "Connection: close"), then_close=True))
    async with CurlTransport() as transport:

        async def worker():
            for _ in range(5):
                with trio.move_on_after(0.01):
                    await get(transport, server.url)
                assert len((await get(transport, server.url)).content) == 100_000
                assert (await get(transport, quick.url)).content == b"ok"
                with pytest.raises(httpx.ConnectError):
                    await get(transport, "http://127.0.0.1:1/")

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(worker)
        assert transport.statistics().transfers == 0
