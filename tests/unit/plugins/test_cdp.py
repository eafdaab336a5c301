"""`Connection` and `PipeChannel`."""

from __future__ import annotations

import msgspec
import pytest
import trio
from crawler_plugins.browser.cdp import CommandFailed, Connection, Disconnected, PipeChannel
from support.fake_chromium import FakeChromium
from trio.testing import MockClock, memory_stream_pair


async def test_messages_of_a_pipe_end_with_a_zero_byte_wherever_they_are_cut() -> None:
    ours, theirs = memory_stream_pair()
    channel = PipeChannel(ours, ours)
    await channel.send(b'{"id":1}')
    assert bytes(await theirs.receive_some()) == b'{"id":1}\0'
    for piece in (b'{"a"', b':1}\0{"b":2}\0{"c', b'":3}\0'):
        await theirs.send_all(piece)
    assert [await channel.receive() for _ in range(3)] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    await theirs.send_eof()
    assert await channel.receive() is None


async def test_a_command_has_its_own_result(nursery: trio.Nursery) -> None:
    connection = Connection(FakeChromium())
    nursery.start_soon(connection.run)
    assert (await connection.call("Browser.getVersion"))["product"] == "Fake/1"
    context = (await connection.call("Target.createBrowserContext"))["browserContextId"]
    assert context == "context 1"


async def test_a_rejected_command_raises(nursery: trio.Nursery) -> None:
    peer = FakeChromium()
    peer.rejected["Page.enable"] = "not now"
    connection = Connection(peer)
    nursery.start_soon(connection.run)
    with pytest.raises(CommandFailed, match=r"Page\.enable: not now"):
        await connection.call("Page.enable")


async def test_events_go_to_the_listener_of_their_session(nursery: trio.Nursery) -> None:
    peer = FakeChromium()
    connection = Connection(peer)
    heard: list[tuple[str, object]] = []
    connection.listen("a", lambda method, params: heard.append((method, params)))
    nursery.start_soon(connection.run)
    peer.event("a", "Page.loadEventFired", at=1)
    peer.event("b", "Page.loadEventFired", at=2)
    await connection.call("Page.enable")
    connection.listen("a", None)
    peer.event("a", "Page.loadEventFired", at=3)
    await connection.call("Page.enable")
    assert heard == [("Page.loadEventFired", {"at": 1})]


async def test_a_cancelled_command_leaves_the_connection_whole(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    peer = FakeChromium()
    connection = Connection(peer)
    nursery.start_soon(connection.run)
    await connection.call("Target.createTarget", url="about:blank", browserContextId="c")
    with trio.move_on_after(1) as scope:
        await connection.call("Page.navigate", "session of target 1", url="https://site.test/")
    assert scope.cancelled_caught
    assert (await connection.call("Browser.getVersion"))["product"] == "Fake/1"


async def test_commands_fail_when_the_browser_is_gone(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    peer = FakeChromium()
    connection = Connection(peer)
    nursery.start_soon(connection.run)
    await connection.call("Target.createTarget", url="about:blank", browserContextId="c")
    with pytest.RaisesGroup(Disconnected):
        async with trio.open_nursery() as inner:
            inner.start_soon(lambda: connection.call("Page.navigate", "session of target 1", url="https://site.test/"))
            await trio.sleep(1)
            peer.kill()
    assert connection.is_closed
    with pytest.raises(Disconnected):
        await connection.call("Browser.getVersion")
    before = len(peer.log)
    connection.post("Browser.close")
    assert len(peer.log) == before


async def test_commands_of_a_tab_that_is_gone_fail_and_others_do_not(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    connection = Connection(FakeChromium())
    nursery.start_soon(connection.run)
    await connection.call("Target.createTarget", url="about:blank", browserContextId="c")
    with pytest.RaisesGroup(Disconnected):
        async with trio.open_nursery() as inner:
            inner.start_soon(lambda: connection.call("Page.navigate", "session of target 1", url="https://site.test/"))
            await trio.sleep(1)
            connection.abandon("session of target 1")
    assert not connection.is_closed


async def test_a_pipe_whose_reader_is_gone_ends_the_connection() -> None:
    class Broken:
        async def send(self, message: bytes) -> None:
            sent.append(msgspec.json.decode(message)["method"])
            raise trio.BrokenResourceError

        async def receive(self) -> bytes | None:
            await trio.testing.wait_all_tasks_blocked()
            return None

    sent: list[str] = []
    connection = Connection(Broken())
    connection.post("Page.enable")
    await connection.run()
    assert sent == ["Page.enable"]
