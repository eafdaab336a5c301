"""`Signals` sends what somebody hears."""

from __future__ import annotations

import logging

from crawler_plugins.scrapy.events import Signals, log_result
from scrapy import signals
from scrapy.exceptions import IgnoreRequest
from scrapy.signalmanager import SignalManager


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
