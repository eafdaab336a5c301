"""Lookups: shared, limited, cached, and abandoned when no task waits."""

from __future__ import annotations

import math
import socket
import threading

import httpx
import pytest
import trio
import trio.testing
from support.rawserver import answers, get, ok, start, until

from crawler.transport.curl import CurlTransport
from crawler.transport.resolver import Resolver
from crawler.transport.wire import failure_of


class Names:
    """A fake `socket.getaddrinfo` that counts its calls, and may hang until it is released."""

    def __init__(self, *addresses, hang=False):
        self.addresses = addresses
        self.asked = []
        self.at_once = 0
        self.most_at_once = 0
        self.release = threading.Event()
        if not hang:
            self.release.set()

    def __call__(self, host, port, family, kind):
        self.asked.append(host)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.release.wait(10)
        self.at_once -= 1
        return [(socket.AF_INET, kind, 6, "", (address, 0)) for address in self.addresses]


def unknown(host, port, family, kind):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def settled():
    """Wait until other tasks have had a few turns."""
    for _ in range(5):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("2001:db8::1", "2001:db8::1")],
)
async def test_an_address_is_its_own_answer(host, address):
    assert await Resolver(getaddrinfo=unknown).resolve(host, 80) == (address,)


async def test_localhost_by_the_system():
    assert set(await Resolver().resolve("localhost", 80)) <= {"127.0.0.1", "::1"}


async def test_every_address_once_in_the_order_of_the_system():
    names = Names("192.0.2.2", "192.0.2.1", "192.0.2.2")
    assert await Resolver(getaddrinfo=names).resolve("a.example", 80) == ("192.0.2.2", "192.0.2.1")
    assert names.asked == [b"a.example"]


async def test_an_answer_is_remembered_for_its_time(mock_clock):
    names = Names("192.0.2.1")
    resolver = Resolver(getaddrinfo=names, ttl=60)
    await resolver.resolve("a.example", 80)
    mock_clock.jump(59)
    await resolver.resolve("a.example", 443)
    assert len(names.asked) == 1
    names.addresses = ("192.0.2.9",)
    mock_clock.jump(2)
    assert await resolver.resolve("a.example", 80) == ("192.0.2.9",)
    assert len(names.asked) == 2


async def test_a_remembered_answer_comes_without_a_checkpoint():
    resolver = Resolver(getaddrinfo=Names("192.0.2.1"))
    await resolver.resolve("a.example", 80)
    with trio.testing.assert_no_checkpoints():
        await resolver.resolve("a.example", 80)


async def test_the_number_of_names_that_are_remembered_is_bounded():
    names = Names("192.0.2.1")
    resolver = Resolver(getaddrinfo=names, entries=3)
    for number in range(10):
        await resolver.resolve(f"{number}.example", 80)
    assert resolver.statistics().cached == 3
    await resolver.resolve("9.example", 80)
    assert len(names.asked) == 10
    await resolver.resolve("0.example", 80)
    assert len(names.asked) == 11


async def test_concurrent_callers_share_one_lookup():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names)
    answers_ = []

    async def ask():
        answers_.append(await resolver.resolve("a.example", 80))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
        await settled()
        assert resolver.statistics().pending == 1
        names.release.set()
    assert answers_ == [("192.0.2.1",)] * 20
    assert len(names.asked) == 1
    assert resolver.statistics().pending == 0


async def test_a_caller_who_is_cancelled_leaves_the_look_up_to_the_others():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names)
    answers_ = []

    async def ask():
        answers_.append(await resolver.resolve("a.example", 80))

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as first:
            async with trio.open_nursery() as cancelled:
                cancelled.start_soon(ask)
                await settled()
                nursery.start_soon(ask)
                await settled()
                first.cancel()
        names.release.set()
    assert answers_ == [("192.0.2.1",)]
    assert len(names.asked) == 1


async def test_when_all_callers_are_cancelled_nothing_of_ours_is_left():
    before = trio.lowlevel.current_statistics().tasks_living
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names)
    with trio.move_on_after(0.05) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resolver.resolve, "a.example", 80)
            nursery.start_soon(resolver.resolve, "a.example", 80)
    assert scope.cancelled_caught
    assert resolver.statistics().pending == 0
    await settled()
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert resolver.statistics().threads == 1  # a thread cannot be stopped
    names.release.set()
    await until(lambda: resolver.statistics().threads == 0)
    assert resolver.statistics().cached == 0
    assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)


async def test_look_ups_that_hang_hold_a_place_and_the_next_ones_fail_in_time():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names, lookups=2, timeout=0.05)

    async def ask(number):
        with pytest.raises(TimeoutError, match=f"{number}.example took longer than 0.05 s"):
            await resolver.resolve(f"{number}.example", 80)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(ask, number)
    assert names.most_at_once == 2
    assert len(names.asked) == 2
    names.release.set()
    await until(lambda: resolver.statistics().threads == 0)
    assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)


async def test_an_error_is_raised_to_every_caller_as_one_of_its_own():
    resolver = Resolver(getaddrinfo=unknown)
    errors = []

    async def ask():
        try:
            await resolver.resolve("a.example", 80)
        except socket.gaierror as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert [error.errno for error in errors] == [socket.EAI_NONAME] * 2
    assert errors[0] is not errors[1]
    assert resolver.statistics() == resolver.statistics().__class__(cached=1, pending=0, threads=0)


def failing(code, names):
    """Return a `socket.getaddrinfo` that asks `names`, or fails if they have no addresses."""

    def getaddrinfo(*args):
        found = names(*args)
        if not found:
            raise socket.gaierror(code, "lookup failed")
        return found

    return getaddrinfo


async def test_that_a_name_does_not_exist_is_remembered_for_half_a_second(mock_clock):
    names = Names()
    resolver = Resolver(getaddrinfo=failing(socket.EAI_NONAME, names))
    for _ in range(3):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example", 80)
    assert len(names.asked) == 1
    names.addresses = ("192.0.2.1",)
    mock_clock.jump(0.5)
    assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)


async def test_a_failed_look_up_is_not_remembered():
    names = Names()
    resolver = Resolver(getaddrinfo=failing(socket.EAI_AGAIN, names))
    for _ in range(3):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example", 80)
    assert len(names.asked) == 3
    assert resolver.statistics().cached == 0


@pytest.mark.parametrize(("took", "remembered"), [(0.8, 0.8), (10.0, 5.0)])
async def test_a_look_up_that_failed_slowly_is_remembered_for_as_long(mock_clock, took, remembered):
    def slow(*arguments):
        mock_clock.jump(took)
        return failing(socket.EAI_AGAIN, names)(*arguments)

    names = Names()
    resolver = Resolver(getaddrinfo=slow)
    for _ in range(3):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example", 80)
    assert len(names.asked) == 1
    mock_clock.jump(remembered)
    names.addresses = ("192.0.2.1",)
    assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)


async def test_a_look_up_that_never_had_a_thread_is_not_remembered(autojump_clock):
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names, lookups=1, timeout=3)
    for host in ("a.example", "b.example"):
        with pytest.raises(TimeoutError):
            await resolver.resolve(host, 80)
    assert resolver.statistics().cached == 1
    autojump_clock.autojump_threshold = math.inf  # threads take no time of this clock
    names.release.set()
    while resolver.statistics().threads:
        await trio.lowlevel.checkpoint()
    assert await resolver.resolve("b.example", 80) == ("192.0.2.1",)


async def test_expired_addresses_are_used_while_look_ups_fail_up_to_a_day(mock_clock):
    names = Names("192.0.2.1")
    resolver = Resolver(getaddrinfo=failing(socket.EAI_AGAIN, names), ttl=60)
    await resolver.resolve("a.example", 80)
    names.addresses = ()
    mock_clock.jump(3600)
    for _ in range(3):
        assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)
    assert len(names.asked) == 2, "the next lookup follows after 30 seconds"
    mock_clock.jump(30)
    names.addresses = ("192.0.2.9",)
    assert await resolver.resolve("a.example", 80) == ("192.0.2.9",)
    names.addresses = ()
    mock_clock.jump(86_400)
    with pytest.raises(socket.gaierror):
        await resolver.resolve("a.example", 80)


async def test_expired_addresses_are_not_used_if_the_name_does_not_exist_any_more(mock_clock):
    names = Names("192.0.2.1")
    resolver = Resolver(getaddrinfo=failing(socket.EAI_NONAME, names), ttl=60)
    await resolver.resolve("a.example", 80)
    names.addresses = ()
    mock_clock.jump(61)
    with pytest.raises(socket.gaierror):
        await resolver.resolve("a.example", 80)


@pytest.mark.parametrize("host", ["", "a..b", "x" * 300, "mäuse.example"])
async def test_an_invalid_name_is_an_os_error(host):
    with pytest.raises(OSError):
        await Resolver().resolve(host, 80)


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_look_up_for_which_the_system_has_no_thread_fails(monkeypatch):
    resolver = Resolver(getaddrinfo=Names("192.0.2.1"))
    with monkeypatch.context() as patch:
        patch.setattr(trio.lowlevel, "start_thread_soon", no_thread)
        with pytest.raises(OSError, match="can't start new thread"):
            await resolver.resolve("a.example", 80)
    assert resolver.statistics().threads == 0
    assert await resolver.resolve("a.example", 80) == ("192.0.2.1",)


async def test_look_ups_that_wait_for_a_thread_fail_if_none_is_left(monkeypatch):
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names, lookups=1)
    failed = []

    async def ask(host):
        try:
            await resolver.resolve(host, 80)
        except OSError:
            failed.append(host)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "a.example")
        await settled()
        nursery.start_soon(ask, "b.example")
        nursery.start_soon(ask, "c.example")
        await settled()
        monkeypatch.setattr(trio.lowlevel, "start_thread_soon", no_thread)
        names.release.set()
    assert sorted(failed) == ["b.example", "c.example"]
    assert (resolver.statistics().pending, resolver.statistics().threads) == (0, 0)


def test_a_resolver_starts_afresh_in_another_run_of_trio():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names, lookups=1)

    async def give_up():
        with trio.move_on_after(0.05):
            await resolver.resolve("a.example", 80)

    trio.run(give_up)  # its thread never released its token
    names.release.set()
    assert trio.run(resolver.resolve, "a.example", 80) == ("192.0.2.1",)


def test_the_end_of_a_run_does_not_wait_for_a_look_up_that_hangs():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names)
    seen = []

    async def wait_for_it():
        try:
            await resolver.resolve("a.example", 80)
        except BaseException as error:
            seen.append(error)
            raise

    async def main():
        trio.lowlevel.spawn_system_task(wait_for_it)
        await settled()

    trio.run(main)
    assert len(seen) == 1
    names.release.set()


# ---- handed to libcurl ---------------------------------------------------------------------------------------------


class Table:
    """A resolver with a table that may change."""

    def __init__(self, **addresses):
        self.addresses = addresses
        self.asked = []

    async def resolve(self, host, port):
        self.asked.append((host, port))
        return self.addresses.get(host.partition(".")[0], (host,))


async def test_libcurl_connects_to_the_addresses_it_is_given_and_sends_the_name(serve):
    server = await serve(answers(ok()))
    table = Table(site=("127.0.0.1",))
    async with CurlTransport(resolver=table) as transport:
        response = await get(transport, f"http://site.test:{server.port}/")
    assert response.extensions["primary_ip"] == "127.0.0.1"
    assert f"Host: site.test:{server.port}".encode() in server.head
    assert table.asked == [("site.test", server.port)]


async def test_an_address_that_changed_is_honoured(serve):
    async def tells_its_address(peer):
        while await peer.request():
            await peer.send(ok(peer.stream.socket.getsockname()[0].encode(), "Connection: close"))

    first = await serve(tells_its_address)
    await serve(tells_its_address, "127.0.0.2", first.port)
    table = Table(site=("127.0.0.1",))
    async with CurlTransport(resolver=table) as transport:
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            table.addresses["site"] = (address,)
            assert (await get(transport, f"http://site.test:{first.port}/")).text == address
            await get(transport, first.url)  # the same handle, and no name


async def test_the_second_address_is_tried_when_the_first_is_dead_also_of_another_family(serve):
    server = await serve(answers(ok()))
    async with CurlTransport(resolver=Table(site=("::1", "127.0.0.1"))) as transport:
        response = await get(transport, f"http://site.test:{server.port}/")
    assert response.extensions["primary_ip"] == "127.0.0.1"


async def tells_its_address_once(peer):
    await peer.request()
    await peer.send(ok(peer.stream.socket.getsockname()[0].encode(), "Connection: close"))


@pytest.mark.parametrize("other", ["127.0.0.2", "::1"])
async def test_an_address_that_was_dead_is_not_tried_first_by_the_next_connection(serve, other):
    server = await serve(tells_its_address_once)
    async with CurlTransport(resolver=Table(site=(other, "127.0.0.1"))) as transport:
        url = f"http://site.test:{server.port}/"
        assert (await get(transport, url)).text == "127.0.0.1"
        await serve(tells_its_address_once, other, server.port)  # it is back, which no connection finds out for a while
        for _ in range(2):
            assert (await get(transport, url)).text == "127.0.0.1"


@pytest.mark.parametrize("other", ["127.0.0.2", "::1"])
async def test_a_failed_connection_lets_the_next_one_try_all_addresses(serve, other):
    async with CurlTransport(resolver=Table(site=(other, "127.0.0.1"))) as transport:
        async with trio.open_nursery() as servers:
            server = await start(servers, tells_its_address_once)
            url = f"http://site.test:{server.port}/"
            assert (await get(transport, url)).text == "127.0.0.1"
            servers.cancel_scope.cancel(reason="the server stops")
        with pytest.raises(httpx.ConnectError):
            await get(transport, url)
        await serve(tells_its_address_once, other, server.port)
        assert (await get(transport, url)).text == other


async def test_an_unknown_name_is_a_connect_error_and_nothing_was_sent():
    async with CurlTransport(resolver=Resolver(getaddrinfo=unknown)) as transport:
        with pytest.raises(httpx.ConnectError, match=r"no address of a\.example: Name or service not known") as caught:
            await get(transport, "http://a.example/")
    assert failure_of(caught.value).sent is False
    assert caught.value.request.url == "http://a.example/"


async def test_a_look_up_that_takes_too_long_is_a_connect_timeout():
    names = Names("192.0.2.1", hang=True)
    async with CurlTransport(resolver=Resolver(getaddrinfo=names, timeout=0.05)) as transport:
        with pytest.raises(httpx.ConnectTimeout, match="took longer than"):
            await get(transport, "http://a.example/")
    names.release.set()


async def test_a_request_is_cancelled_at_once_while_its_name_is_looked_up():
    names = Names("192.0.2.1", hang=True)
    resolver = Resolver(getaddrinfo=names)
    async with CurlTransport(resolver=resolver) as transport:
        with trio.fail_after(20), trio.move_on_after(0.05):
            await get(transport, "http://a.example/")
        assert transport.statistics().transfers == 0
        assert resolver.statistics().pending == 0
    names.release.set()
