"""`Channel`: messages arrive whole and in order, however large they are and however slowly the other end reads."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio

from crawler.engine.processes import channel, wire
from crawler.engine.processes.channel import LENGTH, Channel, receive_now, send_now

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a channel that receives what the first process sends."""
    first, other = socket.socketpair()
    with first, other:
        yield Channel(first, wire.FROM_OTHER), Channel(other, wire.FROM_FIRST)


async def received(end: Channel, n: int) -> list[int]:
    """Return the numbers of the next `n` messages."""
    found: list[int] = []
    while len(found) < n:
        messages = await end.receive()
        assert messages
        found += [message.number for message in messages]
    return found


async def test_messages_arrive_in_their_order(ends: Ends) -> None:
    for number in range(5):
        ends[0].gather(wire.Continue(number))
    ends[0].flush()
    assert await received(ends[1], 5) == list(range(5))


async def test_a_message_that_cannot_be_encoded_sends_nothing(ends: Ends) -> None:
    with pytest.raises(UnicodeEncodeError):
        ends[0].send(wire.Call(1, 1, "\ud800", b""))
    ends[0].gather(wire.Continue(7))
    ends[0].flush()
    assert await received(ends[1], 1) == [7]


@pytest.mark.parametrize("size", [0, channel.READ - 60, channel.READ, 3 * channel.READ])
async def test_large_messages_arrive_whole_while_others_are_sent(ends: Ends, size: int) -> None:
    part = wire.Part(1, [(b"x" * size, "Book")], b"", [])
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends[1].run_writer)
            for _ in range(3):
                ends[1].send(part)
            found: list[wire.Part] = []
            while len(found) < 3:
                found += await ends[0].receive()
            await ends[1].drain()
            nursery.cancel_scope.cancel()
    assert [len(each.items[0][0]) for each in found] == [size] * 3
    assert len(ends[0]._buffer) == channel.READ  # the memory for a large message is given back


async def test_a_message_in_pieces_arrives_when_it_is_whole() -> None:
    first, other = socket.socketpair()
    with first, other:
        data = wire.ENCODER.encode([wire.Continue(7)])
        frame = len(data).to_bytes(LENGTH, "big") + data
        end = Channel(other, wire.FROM_FIRST)
        async with trio.open_nursery() as nursery:
            found: list[int] = []

            async def receive() -> None:
                found.extend(await received(end, 1))

            nursery.start_soon(receive)
            for index in range(len(frame)):
                await trio.testing.wait_all_tasks_blocked()
                assert not found
                first.send(frame[index : index + 1])
        assert found == [7]


async def test_a_closed_end_sends_its_queued_messages_and_then_nothing(ends: Ends) -> None:
    ends[0].send(wire.Continue(1))
    ends[0].flush()
    ends[0].close()
    assert await received(ends[1], 1) == [1]
    assert await ends[1].receive() == []
    ends[1].send(wire.Stop())
    ends[1].flush()  # nobody gets it, and nothing is raised
    assert await ends[1].receive() == []


def test_blocking_ends_exchange_whole_messages() -> None:
    first, other = socket.socketpair()
    with first, other:
        send_now(first, b"one")
        send_now(first, b"")
        assert [receive_now(other), receive_now(other)] == [b"one", b""]
        first.close()
        with pytest.raises(EOFError):
            receive_now(other)
