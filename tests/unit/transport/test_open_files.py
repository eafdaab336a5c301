"""The limit on open files: it is raised, and requests that do not fit into it wait instead of failing."""

from __future__ import annotations

import contextlib
import logging
import resource

import httpx
import pytest
import trio
from support.rawserver import get, ok

from crawler.errors import ConfigError
from crawler.transport.curl import CurlTransport
from crawler.transport.open_files import connection_limits, raise_open_file_limit
from crawler.transport.wire import EXTENSION, WireOptions, failure_of


@pytest.fixture
def soft_limit():
    """Return a function that sets the soft limit, which is restored afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("open_files", [1, 64, 256, 512, 1024, 20_000, 65_536])
def test_connections_leave_open_files_to_the_rest_of_the_program(open_files):
    limits = connection_limits(open_files, 4096)
    assert 16 <= limits.transfers < limits.total
    assert 16 <= limits.kept <= 4096
    assert limits.total <= max(open_files - 128, 32)
    assert connection_limits(open_files, 7).kept == 7


async def test_the_first_request_raises_the_soft_limit(soft_limit, serve, transport):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft_limit(256)
    assert (await get(transport, (await serve(one_at_a_time())).url)).content == b"ok"
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert soft == raise_open_file_limit() == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)) > 256


def test_a_limit_that_the_system_does_not_raise_stays(soft_limit, monkeypatch):
    def refused(_what, _limits):
        raise ValueError("not allowed to raise maximum limit")

    soft_limit(256)
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert raise_open_file_limit() == 256
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert raise_open_file_limit() == 65_536


def test_a_limit_with_which_connections_would_fail_is_refused(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 20))
    with pytest.raises(ConfigError, match=r"may open 20 files, but needs 64 or more: raise ulimit -n"):
        CurlTransport()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    CurlTransport()


def one_at_a_time(gate: trio.Event | None = None):
    """Return a handler that responds to each request on a new connection once the gate is open."""

    async def handler(peer):
        while await peer.request():
            if gate is not None:
                await gate.wait()
            await peer.send(ok())

    return handler


@pytest.fixture
def few_open_files(monkeypatch):
    """Let the next transport have 16 transfers."""
    monkeypatch.setattr("crawler.transport.open_files.raise_open_file_limit", lambda: 160)


async def test_requests_that_do_not_fit_wait_and_none_fails(few_open_files, serve, caplog):
    gate = trio.Event()
    server = await serve(one_at_a_time(gate))
    bodies = []
    async with CurlTransport() as transport:

        async def one():
            bodies.append((await get(transport, server.url)).content)

        with trio.fail_after(20), caplog.at_level(logging.WARNING):
            async with trio.open_nursery() as nursery:
                for _ in range(60):
                    nursery.start_soon(one)
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert transport.statistics().transfers == 16
                assert server.connections <= 16
                gate.set()
        assert bodies == [b"ok"] * 60
        assert server.connections <= 16
    warnings = [record.getMessage() for record in caplog.records if "open files" in record.getMessage()]
    assert warnings == ["16 requests at once are as many as the limit on open files allows: raise it (ulimit -n)"]


async def test_the_connections_of_many_requests_at_once_are_all_kept(serve, transport):
    arrived = 0
    gates = [trio.Event(), trio.Event()]

    async def handler(peer):
        nonlocal arrived
        while await peer.request():
            arrived += 1
            gate = gates[0 if arrived <= 300 else 1]
            if arrived % 300 == 0:
                gate.set()
            await gate.wait()
            await peer.send(ok())

    server = await serve(handler)
    for _ in range(2):
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(300):
                    nursery.start_soon(get, transport, server.url)
    assert (arrived, server.connections) == (600, 300)


async def test_waiting_ends_at_the_deadline_when_cancelled_and_with_the_transport(few_open_files, serve):
    server = await serve(one_at_a_time(trio.Event()))
    raised = []
    async with CurlTransport() as transport, trio.open_nursery() as nursery:

        async def one():
            with pytest.raises(httpx.CloseError):
                await get(transport, server.url)
            raised.append(1)

        for _ in range(17):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked(0.05)
        options = {EXTENSION: WireOptions(complete_by=trio.current_time() + 0.02)}
        with trio.fail_after(20), pytest.raises(httpx.ReadTimeout) as caught:
            await get(transport, server.url, extensions=options)
        assert (failure_of(caught.value).kind, failure_of(caught.value).sent) == ("deadline", False)
        with trio.move_on_after(0.02) as scope:
            await get(transport, server.url)
        assert scope.cancelled_caught
        await transport.aclose()
    assert len(raised) == 17


async def test_a_request_that_cannot_be_sent_leaves_its_room_to_the_next(few_open_files, serve):
    gate = trio.Event()
    server = await serve(one_at_a_time(gate))
    done = []
    async with CurlTransport() as transport:

        async def one(method):
            with contextlib.suppress(httpx.LocalProtocolError):
                await get(transport, server.url, method=method)
            done.append(method)

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for method in ["GET"] * 16 + ["NO METHOD"] * 20 + ["GET"] * 20:
                    nursery.start_soon(one, method)
                await trio.testing.wait_all_tasks_blocked(0.05)
                gate.set()
    assert len(done) == 56
