"""When connections are inspected, and which."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import attrs
import pytest

from crawler.transport.inspection import ALLOWANCE, MAX_EVENTS, FramingWatch, Inspection, received_on


def on_socket(fd, **state):
    """Return the handle of a transfer on a socket, and the transfer."""
    usual = {"connect_only": False, "is_paused": False, "was_inspected": True, "owns_connection": True}
    return SimpleNamespace(getinfo=lambda _: fd, fd=fd), SimpleNamespace(**usual | state)


async def test_an_inspection_is_due_after_many_events_or_half_a_second(autojump_clock):
    inspection = Inspection()
    inspection.restart()
    assert not inspection.is_due()
    inspection.events = MAX_EVENTS
    assert inspection.is_due()
    inspection.restart()
    assert not inspection.is_due()
    autojump_clock.jump(0.5)
    assert inspection.is_due()


def test_young_and_paused_transfers_and_those_on_a_paused_connection_are_left_out():
    pairs = [
        on_socket(5),
        on_socket(6, was_inspected=False),
        on_socket(7, is_paused=True),
        on_socket(7, owns_connection=False),
        on_socket(8, connect_only=True),
        on_socket(9, owns_connection=False, was_inspected=False),
        on_socket(-1),
    ]
    handles = {id(curl): (curl, transfer) for curl, transfer in pairs}

    class Transfers:
        def items(self):
            return list(handles.values())

    assert [fd for fd, _ in Inspection.connections(Transfers())] == [5, 9]
    assert pairs[1][1].was_inspected, "the next inspection looks at it"


MB = 1024 * 1024


@attrs.define(eq=False)
class Transfer:
    delivered: int = 0
    owns_connection: bool = True
    was_inspected: bool = False


class Connection:
    """A watch of one connection, on which bytes arrive."""

    def __init__(self) -> None:
        self.received = 0
        self.watch = FramingWatch(lambda fd: self.received)

    def inspect(self, *transfers: Transfer, received: int = 0) -> list[Transfer]:
        self.received += received
        return self.watch.find_endless([(7, transfer) for transfer in transfers])


def test_framing_without_content_is_found_at_the_third_inspection() -> None:
    connection, transfer = Connection(), Transfer()
    assert connection.inspect(transfer, received=5 * MB) == []
    assert connection.inspect(transfer, received=5 * MB) == []
    assert connection.inspect(transfer, received=ALLOWANCE) == []
    assert connection.inspect(transfer, received=1) == [transfer]


@pytest.mark.parametrize(("content", "is_found"), [(1, True), (32, True), (1000, False)])
def test_framing_may_be_as_large_as_that_of_single_bytes(content: int, is_found: bool) -> None:
    connection, transfer = Connection(), Transfer()
    for _ in range(4000):
        found = connection.inspect(transfer, received=16_000)
        transfer.delivered += content
        if found:
            break
    assert bool(found) is is_found


def test_the_next_transfer_on_a_connection_does_not_pay_for_the_last() -> None:
    connection, first, second = Connection(), Transfer(), Transfer()
    connection.inspect(first)
    connection.inspect(first, received=5 * MB)
    assert connection.inspect(second, received=5 * MB) == []
    assert connection.inspect(second, received=5 * MB) == []
    assert connection.inspect(second, received=ALLOWANCE) == []


def test_on_a_shared_connection_all_transfers_count() -> None:
    connection, idle = Connection(), Transfer(owns_connection=False)
    connection.inspect(idle)
    for _ in range(10):  # others come and go between two inspections
        connection.watch.note_end(7, Transfer(delivered=5 * MB))
        assert connection.inspect(idle, Transfer(owns_connection=False), received=5 * MB) == []
    together = [idle, Transfer(owns_connection=False)]
    connection.inspect(*together)
    assert connection.inspect(*together, received=2000 * MB) == together


def test_a_new_connection_may_have_the_number_of_an_old_one() -> None:
    connection, transfer = Connection(), Transfer(owns_connection=False)
    connection.inspect(transfer, received=50 * MB)
    connection.inspect(transfer)
    connection.received = 0
    assert connection.inspect(transfer) == []
    assert connection.inspect(transfer, received=ALLOWANCE) == []


def test_the_system_counts_the_bytes_that_a_connection_receives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            assert received_on(client.fileno()) == 0
            peer.sendall(b"x" * 1000)
            client.recv(1)
            assert received_on(client.fileno()) in (1000, 0)  # 0: a system that does not count
            client.sendall(b"x")  # it is still open


@pytest.mark.parametrize(
    ("system", "option", "size", "received"),
    [("linux", socket.TCP_INFO, 136, 17), ("darwin", 0x106, 96, 12), ("win32", None, 0, 0)],
)
def test_each_system_counts_in_its_own_place(
    monkeypatch: pytest.MonkeyPatch, system: str, option: int | None, size: int, received: int
) -> None:
    """The value of the option has the number of each 64-bit word in it."""
    asked: list[tuple[int, int]] = []

    class Socket:
        def __init__(self, fileno: int) -> None: ...

        def getsockopt(self, level: int, name: int, length: int) -> bytes:
            asked.append((name, length))
            return b"".join(n.to_bytes(8, sys.byteorder) for n in range(1, length // 8 + 1))

        def detach(self) -> None: ...

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("crawler.transport.inspection.socket.socket", Socket)
    assert received_on(7) == received
    assert asked == ([(option, size)] if option else [])


def test_other_sockets_have_received_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert received_on(datagrams.fileno()) == 0
    assert received_on(99_999) == 0
