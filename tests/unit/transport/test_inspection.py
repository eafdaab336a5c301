"""When connections are inspected, and which."""

from __future__ import annotations

from types import SimpleNamespace

from crawler.transport.inspection import MAX_EVENTS, Inspection


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
