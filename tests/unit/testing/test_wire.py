"""`Wire`: the real client and a real server in one process, in virtual time."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from crawler.testing import Asked, Reply, Wire

URL = "https://site.test/"


@asynccontextmanager
async def talking_to(nursery, handler, *, timeout=5.0):  # noqa: ASYNC109
    """Yield a client and the wire it is connected to."""
    wire = Wire(nursery, handler)
    async with httpx.AsyncClient(transport=wire.transport, timeout=timeout) as client:
        yield client, wire


async def test_a_request_arrives_as_it_was_sent_and_the_reply_as_well(nursery):
    seen = []

    async def handler(asked: Asked) -> Reply:
        seen.append(asked)
        return Reply(b"made", 201, headers=[("X-A", "1"), ("X-A", "2")])

    async with talking_to(nursery, handler) as (client, _):
        response = await client.post("http://site.test:81/a?b=c", content=b"body", headers={"X-Sent": "yes"})
    assert (response.status_code, response.content) == (201, b"made")
    assert response.headers.get_list("x-a") == ["1", "2"]
    assert response.headers["content-length"] == "4"
    [asked] = seen
    assert (asked.method, asked.target, asked.body) == ("POST", "/a?b=c", b"body")
    assert (asked.headers["x-sent"], asked.headers["host"]) == ("yes", "site.test:81")


async def test_a_connection_is_kept_alive(nursery):
    async def handler(asked: Asked) -> Reply:
        return Reply(asked.target.encode())

    async with talking_to(nursery, handler) as (client, wire):
        for path in ("a", "b", "c"):
            assert (await client.get(URL + path)).text == f"/{path}"
        [connection] = wire.connections
        assert [asked.target for asked in connection.requests] == ["/a", "/b", "/c"]
        assert (connection.host, connection.port, connection.is_open) == ("site.test", 443, True)
        await client.get("http://other.test:81/")
        assert [(one.host, one.port) for one in wire.connections] == [("site.test", 443), ("other.test", 81)]
    assert [one.is_open for one in wire.connections] == [False, False]


async def test_simultaneous_requests_have_connections_of_their_own(nursery, autojump_clock):
    async def handler(asked: Asked) -> Reply:
        await trio.sleep(1)
        return Reply(b"x")

    async with talking_to(nursery, handler) as (client, wire):
        async with trio.open_nursery() as asking:
            for _ in range(20):
                asking.start_soon(client.get, URL)
        assert len(wire.connections) == 20
        assert trio.current_time() == 1


async def test_a_server_may_close_after_its_response(nursery):
    async def handler(asked: Asked) -> Reply:
        return Reply(b"x", headers={"Connection": "close"})

    async with talking_to(nursery, handler) as (client, wire):
        for _ in range(2):
            assert (await client.get(URL)).text == "x"
        assert len(wire.connections) == 2


async def test_a_client_may_close_after_its_request(nursery):
    async def handler(asked: Asked) -> Reply:
        return Reply(b"x")

    async with talking_to(nursery, handler) as (client, wire):
        for _ in range(2):
            assert (await client.get(URL, headers={"Connection": "close"})).text == "x"
        assert len(wire.connections) == 2


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_response_without_a_body_sends_none(nursery, method, status):
    async def handler(asked: Asked) -> Reply:
        return Reply(b"" if status == 204 else b"body", status)

    async with talking_to(nursery, handler) as (client, wire):
        for _ in range(2):
            assert (await client.request(method, URL)).content == b""
        assert len(wire.connections) == 1


# ---- time ------------------------------------------------------------------------------------------------------------


async def test_a_body_in_steps_arrives_in_chunks_with_pauses(nursery, autojump_clock):
    async def handler(asked: Asked) -> Reply:
        return Reply([b"one", 2.0, b"two", 3, b"three"])

    async with talking_to(nursery, handler) as (client, _):
        response = await client.get(URL)
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.text == "onetwothree"
    assert trio.current_time() == 5


async def test_a_slow_body_never_exceeds_a_timeout_per_read(nursery, autojump_clock):
    async def drip():
        while True:
            yield b"x"
            yield 4.0

    async def handler(asked: Asked) -> Reply:
        return Reply(drip())

    async with talking_to(nursery, handler, timeout=5) as (client, _):
        with trio.move_on_after(600) as scope:
            await client.get(URL)
    assert scope.cancelled_caught
    assert trio.current_time() == 600


async def test_a_generator_of_steps_is_closed_when_the_client_leaves(nursery, autojump_clock):
    closed = trio.Event()

    async def drip():
        try:
            while True:
                yield b"x"
                yield 1.0
        finally:
            closed.set()

    async def handler(asked: Asked) -> Reply:
        return Reply(drip())

    async with talking_to(nursery, handler) as (client, wire):
        with trio.move_on_after(10):
            await client.get(URL)
        with trio.fail_after(5):
            await closed.wait()
        assert [one.is_open for one in wire.connections] == [False]


@pytest.mark.parametrize("steps", [[math.inf], [b"HTTP/1.1 200 OK\r\n", math.inf], None])
async def test_a_server_that_hangs_times_out_at_once_in_virtual_time(nursery, autojump_clock, steps):
    async def handler(asked: Asked):
        return steps or await trio.sleep_forever()

    async with talking_to(nursery, handler, timeout=30) as (client, _):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(URL)
    assert trio.current_time() == 30


async def test_a_cancelled_request_closes_its_connection_and_leaves_the_others(nursery, autojump_clock):
    async def handler(asked: Asked) -> Reply:
        if asked.target == "/slow":
            await trio.sleep(100)
        return Reply(b"x")

    async with talking_to(nursery, handler, timeout=None) as (client, wire):
        await client.get(URL)
        with trio.move_on_after(3):
            await client.get(f"{URL}slow")
        assert (await client.get(URL)).text == "x"
    assert [len(one.requests) for one in wire.connections] == [2, 1]


# ---- faults ----------------------------------------------------------------------------------------------------------


async def test_a_server_may_break_the_connection_at_once(nursery):
    async def handler(asked: Asked) -> None:
        return None

    async with talking_to(nursery, handler) as (client, wire):
        with pytest.raises(httpx.ReadError, match="connection reset by peer"):
            await client.get(URL)
        assert wire.connections[0].broken
        assert not wire.connections[0].is_open


@pytest.mark.parametrize("body", [[b"half", None], [b"half", 2.0, None]])
async def test_a_server_may_break_the_connection_inside_a_body(nursery, autojump_clock, body):
    async def handler(asked: Asked) -> Reply:
        return Reply(body)

    async with talking_to(nursery, handler) as (client, _), client.stream("GET", URL) as response:
        assert response.status_code == 200
        received = b""
        with pytest.raises(httpx.ReadError, match="connection reset by peer"):
            async for chunk in response.aiter_bytes():
                received += chunk
        assert received == b"half"


async def test_a_body_may_end_too_early_without_a_reset(nursery):
    async def handler(asked: Asked):
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"half"]

    async with talking_to(nursery, handler) as (client, wire):
        with pytest.raises(httpx.RemoteProtocolError, match="received 4 bytes, expected 10"):
            await client.get(URL)
        assert not wire.connections[0].broken


@pytest.mark.parametrize("answer", [[], [b""], [b"220 smtp.test ESMTP\r\n"], [b"\x00" * 100]])
async def test_a_server_may_not_speak_http(nursery, answer):
    async def handler(asked: Asked):
        return answer

    async with talking_to(nursery, handler) as (client, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(URL)


async def test_headers_may_arrive_slowly_too(nursery, autojump_clock):
    async def handler(asked: Asked):
        return [b"HTTP/1.1 200 OK\r\n", 2.0, b"Content-Length: 1\r\n", 2.0, b"\r\n", 2.0, b"x"]

    async with talking_to(nursery, handler) as (client, _):
        assert (await client.get(URL)).text == "x"
    assert trio.current_time() == 6


async def test_the_next_request_after_a_fault_gets_a_new_connection(nursery):
    answers = [None, [b"nonsense"], Reply(b"fine"), Reply(b"fine")]

    async def handler(asked: Asked):
        return answers.pop(0)

    async with talking_to(nursery, handler) as (client, wire):
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await client.get(URL)
        for _ in range(2):
            assert (await client.get(URL)).text == "fine"
        assert len(wire.connections) == 3


async def test_an_exception_of_the_handler_is_raised():
    async def handler(asked: Asked) -> Reply:
        raise RuntimeError("a bug of the test")

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a bug of the test")):
        async with trio.open_nursery() as nursery, talking_to(nursery, handler) as (client, _):
            await client.get(URL)


async def test_cancelling_the_nursery_ends_the_server_and_its_steps(autojump_clock):
    closed = []

    async def drip():
        try:
            while True:
                yield b"x"
                yield 1.0
        finally:
            closed.append(True)

    async def handler(asked: Asked) -> Reply:
        return Reply(drip())

    async with trio.open_nursery() as nursery:
        wire = Wire(nursery, handler)
        async with httpx.AsyncClient(transport=wire.transport) as client:
            nursery.start_soon(client.get, URL)
            await trio.sleep(10)
            nursery.cancel_scope.cancel()
    assert closed == [True]
    assert [one.is_open for one in wire.connections] == [False]
