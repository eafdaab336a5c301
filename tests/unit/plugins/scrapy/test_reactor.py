"""`TrioReactor`: the reactor of Twisted on trio."""

from __future__ import annotations

import sys
import threading

import pytest
import trio
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.reactor import INSTALL, TrioReactor
from scrapy.utils.reactor import verify_installed_reactor
from twisted.internet import main, selectreactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from crawler import ConfigError


@pytest.fixture
async def reactor(nursery):
    installed = TrioReactor.install()
    await nursery.start(installed.keep)
    yield installed.reactor
    nursery.cancel_scope.cancel()
    await trio.sleep(0)
    TrioReactor.uninstall()


async def test_a_timer_is_called_when_it_is_due(reactor, autojump_clock):
    called = []
    began = trio.current_time()
    reactor.callLater(2, lambda: called.append(trio.current_time() - began))
    reactor.callLater(5, called.append, "cancelled").cancel()
    await trio.sleep(10)
    assert called == [pytest.approx(2)]


async def test_a_timer_set_before_the_crawl_waits_from_its_begin(nursery, autojump_clock):
    installed, called = TrioReactor.install(), []
    installed.reactor.callLater(2, called.append, 1)
    installed.reactor.callWhenRunning(called.append, 0)
    await trio.sleep(10)
    await nursery.start(installed.keep)
    assert called == [0]
    await trio.sleep(3)
    assert called == [0, 1]
    nursery.cancel_scope.cancel()
    await trio.sleep(0)
    TrioReactor.uninstall()


async def test_a_looping_call_repeats(reactor, autojump_clock):
    times = []
    call = LoopingCall(lambda: times.append(trio.current_time()))
    call.clock = reactor
    call.start(1.0)
    await trio.sleep(3.5)
    call.stop()
    await trio.sleep(3)
    assert len(times) == 4


async def test_a_timer_that_raises_does_not_stop_the_others(reactor, autojump_clock, caplog):
    called = []
    reactor.callLater(1, lambda: 1 / 0)
    reactor.callLater(1, called.append, 1)
    await trio.sleep(2)
    assert called == [1]
    assert "ZeroDivisionError" in caplog.text


async def test_a_function_runs_in_a_thread(reactor):
    assert await result_of(deferToThread(threading.current_thread)) is not threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        await result_of(deferToThread(lambda: 1 / 0))


def test_another_reactor_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", object())
    with pytest.raises(ConfigError, match=r"a Twisted reactor \(object\) is installed in this process"):
        TrioReactor.install()


def test_a_project_may_install_a_reactor_without_effect():
    reactor = TrioReactor.install().reactor
    try:
        selectreactor.install()
        assert sys.modules["twisted.internet.reactor"] is reactor
    finally:
        TrioReactor.uninstall()
    assert main.installReactor is INSTALL


def test_it_is_the_reactor_that_scrapy_asks_for_and_cannot_be_run():
    reactor = TrioReactor.install().reactor
    try:
        verify_installed_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
        with pytest.raises(ConfigError, match="it starts a crawl of Scrapy"):
            reactor.run()
    finally:
        TrioReactor.uninstall()


class Echo(Protocol):
    def dataReceived(self, data):  # noqa: N802 - Twisted's name
        self.transport.write(data)
        self.transport.loseConnection()


class Asks(Protocol):
    def __init__(self):
        self.found = Deferred()

    def connectionMade(self):  # noqa: N802 - Twisted's name
        self.transport.write(b"hello")

    def dataReceived(self, data):  # noqa: N802 - Twisted's name
        self.found.callback(data)


async def test_connections_of_twisted_are_served(reactor):
    port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    asks = Asks()
    await result_of(connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), asks))
    assert await result_of(asks.found) == b"hello"
    await result_of(port.stopListening())


async def test_a_reactor_of_two_crawls_serves_one_when_the_other_has_ended(autojump_clock):
    installed, called = TrioReactor.install(), []
    reactor = installed.reactor
    async with trio.open_nursery() as one:
        async with trio.open_nursery() as other:
            await other.start(installed.keep)
            await trio.sleep(5)
            await one.start(installed.keep)
            reactor.callLater(2, called.append, "before")
            await trio.sleep(1)
            other.cancel_scope.cancel()
        TrioReactor.uninstall()
        assert sys.modules["twisted.internet.reactor"] is reactor
        reactor.callLater(3, called.append, "after")
        await trio.sleep(2)
        assert called == ["before"]
        await trio.sleep(3)
        assert called == ["before", "after"]
        one.cancel_scope.cancel()
    TrioReactor.uninstall()
    assert "twisted.internet.reactor" not in sys.modules
