"""`TrioReactor`: timers and threads of Twisted without its event loop."""

from __future__ import annotations

import sys
import threading

import pytest
import trio
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.reactor import INSTALL, TrioReactor
from twisted.internet import main, selectreactor
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from crawler import ConfigError


@pytest.fixture
async def reactor(nursery):
    installed = TrioReactor.install()
    await nursery.start(installed.keep, nursery)
    yield installed
    TrioReactor.uninstall()


async def test_a_timer_is_called_when_it_is_due(reactor, autojump_clock):
    called = []
    began = trio.current_time()
    reactor.callLater(2, lambda: called.append(trio.current_time() - began))
    reactor.callLater(5, called.append, "cancelled").cancel()
    await trio.sleep(10)
    assert called == [pytest.approx(2)]


async def test_a_timer_set_before_the_crawl_waits_from_its_begin(nursery, autojump_clock):
    reactor, called = TrioReactor(), []
    reactor.callLater(2, called.append, 1)
    reactor.callWhenRunning(called.append, 0)
    await nursery.start(reactor.keep, nursery)
    assert called == [0]
    await trio.sleep(3)
    assert called == [0, 1]


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
    assert "a timer raised an exception" in caplog.text


async def test_a_function_runs_in_a_thread(reactor):
    assert await result_of(deferToThread(threading.current_thread)) is not threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        await result_of(deferToThread(lambda: 1 / 0))


def test_another_reactor_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", object())
    with pytest.raises(ConfigError, match=r"a Twisted reactor \(object\) is installed in this process"):
        TrioReactor.install()


def test_a_project_may_install_a_reactor_without_effect():
    reactor = TrioReactor.install()
    try:
        selectreactor.install()
        assert sys.modules["twisted.internet.reactor"] is reactor
    finally:
        TrioReactor.uninstall()
    assert main.installReactor is INSTALL


def test_its_network_is_refused_with_what_to_use_instead():
    with pytest.raises(AttributeError, match=r"^reactor\.connectTCP needs the event loop of Twisted"):
        TrioReactor().connectTCP("127.0.0.1", 80, None)
    assert not hasattr(TrioReactor(), "listenTCP")


async def test_a_reactor_of_two_crawls_serves_one_when_the_other_has_ended(autojump_clock):
    reactor, called = TrioReactor.install(), []
    async with trio.open_nursery() as one:
        async with trio.open_nursery() as other:
            await one.start(reactor.keep, one)
            await trio.sleep(5)
            await other.start(reactor.keep, other)
            reactor.callLater(2, called.append, "before")
            await trio.sleep(1)
            other.cancel_scope.cancel()
        TrioReactor.uninstall()
        assert sys.modules["twisted.internet.reactor"] is reactor
        assert await result_of(deferToThread(threading.get_ident)) != threading.get_ident()
        reactor.callLater(3, called.append, "after")
        await trio.sleep(2)
        assert called == ["before"]
        await trio.sleep(3)
        assert called == ["before", "after"]
        one.cancel_scope.cancel()
    TrioReactor.uninstall()
    assert "twisted.internet.reactor" not in sys.modules
