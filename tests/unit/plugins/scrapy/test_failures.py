"""Failures of the crawl are exceptions that errbacks of Scrapy know."""

from __future__ import annotations

import scrapy
from crawler_plugins.scrapy.failures import exception_of, failure_of
from scrapy import exceptions
from scrapy.exceptions import IgnoreRequest
from support.cases import each
from twisted.internet import error as twisted_error
from twisted.web.client import ResponseFailed

import crawler


def with_kind(error, kind):
    error.kind = kind
    return error


def in_the_body(error):
    error.has_response = True
    return error


@each(
    ("error", "kinds"),
    [
        (
            with_kind(crawler.ConnectFailed("no host"), "dns"),
            [twisted_error.DNSLookupError, exceptions.CannotResolveHostError],
        ),
        (
            with_kind(crawler.ConnectFailed("closed"), "refused"),
            [twisted_error.ConnectionRefusedError, exceptions.DownloadConnectionRefusedError],
        ),
        (crawler.ConnectFailed("tls"), [twisted_error.ConnectError, exceptions.DownloadFailedError]),
        (crawler.FetchTimeout("late"), [twisted_error.TimeoutError, exceptions.DownloadTimeoutError]),
        (crawler.BrokenExchange("cut"), [ResponseFailed, exceptions.DownloadFailedError]),
        (in_the_body(crawler.BrokenExchange("cut")), [ResponseFailed, exceptions.ResponseDataLossError]),
        (crawler.FetchError("else"), [ResponseFailed, exceptions.DownloadFailedError]),
        (crawler.BodyTooLarge("large"), [exceptions.DownloadCancelledError]),
        (crawler.BadRedirect("loop", status=301), [IgnoreRequest]),
        (crawler.Refused("no", by="robots"), [IgnoreRequest]),
    ],
)
def test_an_errback_may_check_for_exceptions_of_scrapy_and_twisted(error, kinds):
    failure = failure_of(exception_of(error), scrapy.Request("https://site.test/"))
    for kind in kinds:
        assert failure.check(kind)
    assert failure.request.url == "https://site.test/"


@each(("message", "kind"), [("no host", "dns"), ("closed", "refused"), ("tls", "")])
def test_an_exception_has_the_words_of_the_crawl(message, kind):
    assert str(exception_of(with_kind(crawler.ConnectFailed(message), kind))) == message


def test_a_refusal_of_robots_txt_has_scrapys_words():
    assert str(exception_of(crawler.Refused("x", by="robots"))) == "Forbidden by robots.txt"


def test_another_error_is_unchanged():
    error = crawler.WouldExceedDeadline("late", retry_at=1.0, scope="lane")
    assert exception_of(error) is error
