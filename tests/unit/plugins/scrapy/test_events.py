"""`Signals` sends what somebody hears."""

from __future__ import annotations

import logging

import pytest
from crawler_plugins.scrapy.events import Signals, is_logged, log_result
from scrapy import signals
from scrapy.exceptions import IgnoreRequest, StopDownload
from scrapy.logformatter import LogFormatter
from scrapy.signalmanager import SignalManager
from twisted.internet import defer


class Crawler:
    spider = "spider"

    def __init__(self):
        self.signals = SignalManager(self)


def test_a_signal_without_receivers_is_not_sent():
    crawler = Crawler()
    assert not Signals(crawler).is_heard(signals.item_scraped)
    assert Signals(crawler).send(signals.item_scraped, item=1) == []


def test_a_receiver_gets_the_arguments_that_it_takes():
    crawler, got = Crawler(), []

    def receive(item, spider):
        got.append((item, spider))
        return "result"

    crawler.signals.connect(receive, signals.item_scraped)
    assert Signals(crawler).send(signals.item_scraped, item=1, response=None) == ["result"]
    assert got == [(1, "spider")]


class Component:
    """A component whose methods are receivers."""

    def __init__(self):
        self.got = []

    def some(self, item, unknown=None, *, response="own", **_kept):
        self.got.append(("some", item, unknown, response, sorted(_kept)))

    def few(self, spider, item=0):
        local = spider  # a local variable is no argument
        self.got.append(("few", local, item))

    def none(self):
        self.got.append(("none",))
        return defer.succeed(1)

    @staticmethod
    def alone(item):
        return item

    @classmethod
    def of_class(cls, signal, sender):
        raise StopDownload

    def __call__(self, spider):
        return "called"


def test_methods_get_the_same_arguments_as_in_scrapy(caplog):
    outcomes = []
    for sends in ("scrapy", "crawl"):
        crawler, component = Crawler(), Component()
        kept = [component.some, component.few, component.none, component.alone, component.of_class, component]
        for receiver in kept:
            crawler.signals.connect(receiver, signals.item_scraped)
        given = {"item": 1, "response": "page", "new": 2}
        if sends == "scrapy":
            sent = crawler.signals.send_catch_log(signals.item_scraped, spider="spider", **given)
            results = [result for _, result in sent]
        else:
            results = Signals(crawler).send(signals.item_scraped, **given)
        shown = [type(result).__name__ if not isinstance(result, (int, str)) else result for result in results]
        outcomes.append((shown, component.got, [record.getMessage()[:45] for record in caplog.records]))
        caplog.clear()
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][0]) == 6


def test_a_receiver_refuses_a_request():
    crawler = Crawler()

    def refuse():
        raise IgnoreRequest

    assert not Signals(crawler).refuses(signals.request_scheduled, request=1)
    crawler.signals.connect(refuse, signals.request_scheduled)
    assert Signals(crawler).refuses(signals.request_scheduled, request=1)


async def test_an_exception_of_a_receiver_is_logged(caplog):
    crawler = Crawler()

    def broken():
        raise KeyError("no")

    crawler.signals.connect(broken, signals.spider_opened)
    [failure] = await Signals(crawler).send_async(signals.spider_opened)
    assert failure.check(KeyError)
    assert "Error caught on signal handler" in caplog.text


def test_messages_of_the_log_formatter_are_logged(caplog):
    log = logging.getLogger("scrapy.test")
    log_result(log, None, "spider")
    log_result(log, {"level": logging.WARNING, "msg": "%(a)s", "args": {"a": "words"}}, "spider")
    log_result(log, {"level": logging.WARNING, "msg": "plain", "args": ()}, "spider")
    assert [record.getMessage() for record in caplog.records] == ["words", "plain"]
    assert caplog.records[0].spider == "spider"


@pytest.mark.parametrize("fail", [False, True])
def test_a_receiver_can_stop_a_download(fail):
    crawler = Crawler()

    def stop():
        raise StopDownload(fail=fail)

    assert Signals(crawler).stop_of(signals.bytes_received, data=b"") is None
    crawler.signals.connect(stop, signals.bytes_received)
    found = Signals(crawler).stop_of(signals.bytes_received, data=b"")
    assert isinstance(found, StopDownload)
    assert found.fail is fail


@pytest.mark.parametrize(("level", "expected"), [(logging.DEBUG, [True, True]), (logging.INFO, [False, True])])
def test_a_formatter_of_the_project_is_asked_at_any_level(level, expected):
    class Loud(LogFormatter):
        def crawled(self, request, response, spider):
            return super().crawled(request, response, spider) | {"level": logging.WARNING}

    log = logging.getLogger("test")
    log.setLevel(level)
    assert [is_logged(log, formatter, "crawled") for formatter in (LogFormatter(), Loud())] == expected
    assert is_logged(log, Loud(), "scraped") is expected[0]
