"""`CallStream` with a scripted server; `tests/integration/fleet/test_redis.py` has real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from coredis.exceptions import AuthenticationError, ResponseError
from coredis.exceptions import ConnectionError as ConnectionLost
from crawler_plugins.stores.redis.address import Address
from crawler_plugins.stores.redis.call_stream import CallStream

Answering = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def served(answer: Answering) -> AsyncIterator[str]:
    """Answer each connection, and yield the server's URL."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, answer, listeners)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel(reason="the test is over")


def answering(*answers: bytes, received: list[bytes] | None = None) -> Answering:
    """Return a function that answers each thing that it receives, and then closes the connection."""

    async def answer(stream: trio.SocketStream) -> None:
        for each in answers:
            data = await stream.receive_some()
            if received is not None:
                received.append(bytes(data))
            await stream.send_all(each)
        await stream.receive_some()

    return answer


async def opened(place: str, rest: str = "/job") -> CallStream:
    return await CallStream.open(Address.parse(f"redis://{place}{rest}"), None, {})


async def test_calls_go_out_together_and_have_their_own_answers() -> None:
    received: list[bytes] = []
    async with served(answering(b":1\r\n*2\r\n$2\r\nab\r\n$-1\r\n", received=received)) as place:
        stream = await opened(place)
        assert await stream.call((b"GET", b"a\r\nb"), (b"WAIT", b"0", b"1")) == [1, [b"ab", None]]
        assert received == [b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n0\r\n$1\r\n1\r\n"]
        assert not stream.is_closed
        stream.close()


async def test_an_answer_may_arrive_in_parts() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        for byte in b"*2\r\n:12\r\n$3\r\nabc\r\n":
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.001)

    async with served(answer) as place:
        stream = await opened(place)
        assert await stream.call((b"GET",)) == [[12, b"abc"]]
        stream.close()


async def test_user_and_database_are_chosen_first_and_a_refusal_closes_the_connection() -> None:
    received: list[bytes] = []
    async with served(answering(b"+OK\r\n+OK\r\n", received=received)) as place:
        (await opened("user:secret@" + place, "/3/job")).close()
        assert received == [
            b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
        ]  # fmt: skip
    async with served(answering(b"-WRONGPASS invalid\r\n")) as place:
        with pytest.raises(AuthenticationError):
            await opened(":wrong@" + place)


async def test_an_error_is_raised_and_the_connection_stays() -> None:
    async with served(answering(b"-ERR no such function\r\n:5\r\n", b":7\r\n")) as place:
        stream = await opened(place)
        with pytest.raises(ResponseError, match="no such function"):
            await stream.call((b"FCALL",), (b"WAIT",))
        assert await stream.call((b"FCALL",)) == [7]
        stream.close()


async def test_a_connection_that_ends_or_whose_call_is_cancelled_is_closed() -> None:
    async with served(answering(b":1\r\n")) as place:
        stream = await opened(place)
        await stream.call((b"ONE",))
        with pytest.raises(ConnectionLost):
            await stream.call((b"TWO",))
        assert stream.is_closed
        with pytest.raises(ConnectionLost):
            await stream.call((b"THREE",))
    with pytest.raises(ConnectionLost, match="Unable to establish a connection"):
        await opened(place)
    async with served(answering(b"", b"")) as place:
        stream = await opened(place)
        with trio.move_on_after(0.05):
            await stream.call((b"SLOW",))
        assert stream.is_closed  # the next answer would be that of the cancelled call
