"""Cancellation at any moment, timeouts, slow readers, and the end of the transport: nothing is left behind."""

from __future__ import annotations

import gzip
import os
import random
import socket
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from support.rawserver import answers, descriptors, get, ok, start, until

from crawler.transport.curl import CurlTransport
from crawler.transport.wire import failure_of


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def hangs(peer):
    await peer.request()
    while await peer.receive():  # until the client goes away
        pass


async def hangs_after_the_headers(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
    while await peer.receive():
        pass


async def test_a_cancelled_request_is_over_at_once_and_its_connection_is_closed(serve, transport):
    gone = trio.Event()

    async def handler(peer):
        await peer.request()
        assert not await peer.receive()
        gone.set()

    server = await serve(handler)
    with trio.fail_after(20):
        with trio.move_on_after(0.05) as scope:
            await get(transport, server.url)
        assert scope.cancelled_caught
        assert transport.statistics().transfers == 0
        await gone.wait()


async def test_nothing_is_sent_from_a_cancelled_scope(serve, transport):
    server = await serve(answers(ok()))
    with trio.CancelScope() as scope:
        scope.cancel()
        await get(transport, server.url)
    await trio.sleep(0.02)
    assert (server.connections, transport.statistics().driving) == (0, False)


async def test_no_task_is_left_when_the_last_transfer_ends(serve, transport):
    server = await serve(answers(ok(b"ok", "Connection: close"), then_close=True))
    await trio.testing.wait_all_tasks_blocked()
    before = tasks()
    await get(transport, server.url)
    await until(lambda: tasks() == before)
    assert transport.statistics().driving is False


async def test_one_task_drives_many_requests_one_after_another(serve, transport, monkeypatch):
    spawned = []
    spawn = trio.lowlevel.spawn_system_task
    monkeypatch.setattr(trio.lowlevel, "spawn_system_task", lambda *a, **k: spawned.append(a) or spawn(*a, **k))
    server = await serve(answers(ok()))
    for _ in range(20):
        await get(transport, server.url)
    assert len(spawned) == 1


async def test_a_body_that_is_there_is_read_without_a_checkpoint(serve, transport):
    server = await serve(answers(ok(b"hello")))
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    await until(lambda: transport.statistics().transfers == 0)
    with trio.testing.assert_no_checkpoints():
        assert await response.aread() == b"hello"
        await response.aclose()


async def test_the_response_comes_before_its_body(serve, transport):
    server = await serve(hangs_after_the_headers)
    with trio.fail_after(20):
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
    assert response.status_code == 200
    assert transport.statistics().transfers == 1
    await response.aclose()
    assert transport.statistics().transfers == 0


async def test_a_response_is_closed_in_a_cancelled_scope_too(serve, transport):
    server = await serve(hangs_after_the_headers)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    with trio.CancelScope() as scope:
        scope.cancel()
        await response.aclose()
    assert not scope.cancelled_caught
    assert transport.statistics().transfers == 0


async def test_a_reading_task_fails_when_another_one_closes_the_response(serve, transport, nursery):
    server = await serve(hangs_after_the_headers)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))

    async def close_soon():
        await trio.sleep(0.02)
        await response.aclose()

    nursery.start_soon(close_soon)
    with pytest.raises(httpx.ReadError, match="closed"):
        await response.aread()


async def test_two_tasks_cannot_read_one_response(serve, transport, nursery):
    server = await serve(hangs_after_the_headers)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    chunks = response.stream
    assert await anext(chunks) == b"begun"

    async def read():
        with pytest.raises(httpx.ReadError):
            await anext(chunks)

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await anext(chunks)
    await response.aclose()


async def test_a_reader_that_stops_stops_the_server(serve):
    sent = 0

    async def handler(peer):
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n")
        for _ in range(512):
            await peer.send(b"x" * 65_536)
            sent += 65_536

    server = await serve(handler)
    async with CurlTransport(buffer=65_536) as transport:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        last = -1
        while sent != last:
            last = sent
            await trio.sleep(0.1)
        held = sum(map(len, response.stream._chunks))
        assert 0 < held <= 65_536 + 16_384
        assert sent < 16_000_000  # the size of the kernel's buffers
        size = 0
        async for chunk in response.stream:
            size += len(chunk)
        assert size == 33_554_432


def resident() -> int:
    """Return the bytes of memory that this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_bomb_of_zeros_is_unpacked_no_faster_than_it_is_read(serve, transport):
    bomb = gzip.compress(bytes(100_000_000), 9)
    server = await serve(answers(ok(bomb, "Content-Encoding: gzip")))
    before = resident()
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    await trio.sleep(0.1)
    assert resident() - before < 40_000_000
    assert sum([len(chunk) async for chunk in response.stream]) == 100_000_000
    assert resident() - before < 90_000_000


@pytest.mark.parametrize("handler", [hangs, hangs_after_the_headers])
async def test_the_read_timeout_of_httpx(serve, transport, handler):
    server = await serve(handler)
    request = httpx.Request("GET", server.url, extensions={"timeout": {"read": 0.1}})

    async def read():
        response = await transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()

    with trio.fail_after(20), pytest.raises(httpx.ReadTimeout, match=r"sent nothing for 0\.1 s") as caught:
        await read()
    assert failure_of(caught.value).sent is True
    assert caught.value.request is request


async def test_the_read_timeout_starts_again_with_every_sign_of_life(serve, transport):
    async def drips(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await trio.sleep(0.03)
            await peer.send(b"x")

    server = await serve(drips)
    response = await get(transport, server.url, extensions={"timeout": {"read": 0.15}})
    assert response.content == b"x" * 10


async def test_the_write_timeout_of_httpx(serve, transport):
    async def reads_nothing(peer):
        await trio.sleep_forever()

    server = await serve(reads_nothing)
    request = httpx.Request("POST", server.url, content=bytes(20_000_000), extensions={"timeout": {"write": 0.2}})
    with trio.fail_after(3), pytest.raises(httpx.WriteTimeout, match=r"took nothing for 0\.2 s"):
        await transport.handle_async_request(request)
    assert transport.statistics().transfers == 0


async def test_an_upload_that_makes_progress_does_not_time_out(serve, transport):
    async def reads_slowly(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer.receive()
        left = 8_000_000 - len(peer.received.partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(await peer.stream.receive_some(400_000))
            await trio.sleep(0.03)
        await peer.send(ok())

    server = await serve(reads_slowly)
    extensions = {"timeout": {"read": 10, "write": 0.5}}  # the server still reads when all was sent
    started = trio.current_time()
    assert (await get(transport, server.url, method="POST", content=bytes(8_000_000), extensions=extensions)).content
    assert trio.current_time() - started > 0.5


@pytest.fixture
def black_hole():
    """Listen on a port that never answers, since its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


async def test_the_connect_timeout_by_the_transport_and_by_the_request(black_hole):
    url = f"http://127.0.0.1:{black_hole}/"
    async with CurlTransport(connect_timeout=0.2) as transport:
        with trio.fail_after(20), pytest.raises(httpx.ConnectTimeout, match=f"127.0.0.1:{black_hole}") as caught:
            await get(transport, url)
        assert failure_of(caught.value).sent is False
    async with CurlTransport() as transport:
        with trio.fail_after(20), pytest.raises(httpx.ConnectTimeout):
            await get(transport, url, extensions={"timeout": {"connect": 0.2}})


async def test_the_read_timeout_does_not_count_while_connecting(black_hole):
    async with CurlTransport(connect_timeout=0.4) as transport:
        with trio.fail_after(20), pytest.raises(httpx.ConnectTimeout):
            await get(transport, f"http://127.0.0.1:{black_hole}/", extensions={"timeout": {"read": 0.05}})


async def test_cancelled_while_connecting(black_hole, transport):
    with trio.fail_after(20), trio.move_on_after(0.05):
        await get(transport, f"http://127.0.0.1:{black_hole}/")
    await until(lambda: not transport.statistics().driving)


async def test_thousands_of_requests_cancelled_at_random_moments_leak_nothing(serve):
    random.seed(7)

    async def moody(peer):
        while await peer.request():
            mood = random.random()
            if mood < 0.1:
                return
            if mood < 0.2:
                peer.reset()
                return
            await trio.sleep(random.random() * 0.01)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n")
            await peer.send(bytes(20_000))
            await trio.sleep(random.random() * 0.01)
            await peer.send(bytes(20_000))

    server = await serve(moody)
    good = await serve(answers(ok()))
    outcomes = {"whole": 0, "failed": 0, "cancelled": 0}
    await trio.testing.wait_all_tasks_blocked()
    before = (descriptors(), tasks())
    async with CurlTransport() as transport:
        requests = iter(range(2_000))

        async def worker():
            for number in requests:
                limit = random.random() * 0.025 if number % 2 else 5
                with trio.move_on_after(limit):
                    try:
                        response = await transport.handle_async_request(httpx.Request("GET", server.url))
                        try:
                            assert len(await response.aread()) == 40_000
                        finally:
                            await response.aclose()
                        outcomes["whole"] += 1
                    except httpx.TransportError:
                        outcomes["failed"] += 1
                    continue
                outcomes["cancelled"] += 1

        async with trio.open_nursery() as nursery:
            for _ in range(32):
                nursery.start_soon(worker)
        assert sum(outcomes.values()) == 2_000
        assert min(outcomes.values()) > 100
        assert transport.statistics().transfers == 0
        assert transport.statistics().idle_handles <= 32
        await until(lambda: not transport.statistics().driving)
        assert (await get(transport, good.url)).content == b"ok"
    await until(lambda: (descriptors(), tasks()) == before)


async def test_closing_ends_open_transfers_and_may_be_repeated(serve, nursery):
    server = await serve(hangs)
    begun = await serve(hangs_after_the_headers)
    before = descriptors()
    transport = CurlTransport()
    errors = []

    async def fails():
        with pytest.raises(httpx.TransportError) as caught:
            await get(transport, server.url)
        errors.append(caught.value)

    response = await transport.handle_async_request(httpx.Request("GET", begun.url))
    nursery.start_soon(fails)
    await until(lambda: server.heads)
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(httpx.TransportError, match="the transport was closed"):
        await response.aread()
    await until(lambda: errors)
    assert str(errors[0]) == "the transport was closed"
    assert (transport.statistics().transfers, transport.statistics().idle_handles) == (0, 0)
    with pytest.raises(httpx.TransportError, match="the transport is closed") as caught:
        await get(transport, server.url)
    assert failure_of(caught.value).sent is False
    await until(lambda: not transport.statistics().driving)
    await until(lambda: descriptors() == before)


async def test_a_transport_that_was_never_used_opens_nothing():
    before = descriptors()
    async with CurlTransport():
        assert descriptors() == before
    await CurlTransport().aclose()


def test_a_transport_works_in_one_run_of_trio_after_another():
    transport = CurlTransport()

    async def main():
        async with trio.open_nursery() as nursery:
            server = await start(nursery, answers(ok()))
            assert (await get(transport, server.url)).content == b"ok"
            nursery.cancel_scope.cancel()

    trio.run(main)
    trio.run(main)
    assert transport.statistics().transfers == 0
    trio.run(transport.aclose)


def test_the_end_of_trio_ends_a_response_that_was_left_open():
    transport = CurlTransport()
    responses = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        async def request():
            responses.append(await transport.handle_async_request(httpx.Request("GET", url)))

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(request)
                await trio.testing.wait_all_tasks_blocked()
                connections.append(listener.accept()[0])
                connections[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")

        connections = []
        trio.run(main)
        assert transport.statistics() == type(transport.statistics())(transfers=0, idle_handles=0, driving=False)
        with pytest.raises(httpx.CloseError, match=r"trio\.run\(\) ended"):
            trio.run(responses[0].aread)
        connections[0].close()


async def test_a_transport_serves_one_run_of_trio_at_a_time(serve, transport):
    server = await serve(hangs_after_the_headers)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    with pytest.raises(RuntimeError, match=r"another trio\.run"):
        await trio.to_thread.run_sync(trio.run, get, transport, server.url)
    assert await anext(response.stream) == b"begun"
    await response.aclose()
