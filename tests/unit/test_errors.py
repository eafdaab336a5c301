"""The errors: what each carries, and which of them a second attempt may mend."""

from __future__ import annotations

import pickle

import pytest

from crawler import errors
from crawler.errors import (
    BadRedirect,
    BadStatus,
    BodyTooLarge,
    BrokenExchange,
    ConfigError,
    ConnectFailed,
    CrawlerError,
    CrawlFailed,
    FetchError,
    FetchTimeout,
    HookError,
    JobError,
    PluginError,
    Refused,
    RequestError,
    WouldExceedDeadline,
)
from crawler.messages import Request

REQUEST = Request("https://site.test/")
SAMPLES = [
    RequestError("x"),
    FetchError("x"),
    ConnectFailed("x"),
    FetchTimeout("x"),
    BrokenExchange("x"),
    BodyTooLarge("x"),
    BadStatus("x", status=404),
    BadRedirect("x", status=302, reason="redirect_loop"),
    Refused("x", by="robots"),
    WouldExceedDeadline("x", retry_at=5.0, scope="https://site.test"),
    HookError("x", plugin="quotes", hook="parse"),
]


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_a_crawler_error(name):
    assert issubclass(getattr(errors, name), CrawlerError)


def test_nothing_that_ends_a_crawl_can_be_taken_for_the_failure_of_a_request():
    for error in (ConfigError, PluginError, JobError, CrawlFailed):
        assert not issubclass(error, RequestError)


@pytest.mark.parametrize(
    ("error", "reason"),
    list(zip(
        SAMPLES,
        ["request_error", "fetch_error", "connect_failed", "fetch_timeout", "broken_exchange", "body_too_large",
         "status_404", "redirect_loop", "refused", "would_exceed_deadline", "hook_error"],
        strict=True,
    )),
)  # fmt: skip
def test_a_failure_is_counted_by_the_name_of_its_kind(error, reason):
    assert error.reason == reason


def test_every_error_of_a_request_is_among_the_samples():
    kinds = {getattr(errors, name) for name in errors.__all__ if issubclass(getattr(errors, name), RequestError)}
    assert {type(error) for error in SAMPLES} == kinds


def test_only_what_time_may_mend_is_tried_again():
    assert {type(error) for error in SAMPLES if error.retryable} == {
        FetchError,
        ConnectFailed,
        FetchTimeout,
        BrokenExchange,
    }


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: error.reason)
def test_what_an_error_says_is_its_message_and_its_request_is_filled_in_later(error):
    assert str(error) == "x"
    assert error.request is None
    assert error.retry_after is None


def test_an_error_tells_what_it_is_about():
    assert RequestError("x", request=REQUEST).request is REQUEST
    assert FetchTimeout("x", retry_after=7.0).retry_after == 7.0
    bad = BadStatus("no", status=429, request=REQUEST, retry_after=3600.0)
    assert (bad.status, bad.request, bad.retry_after) == (429, REQUEST, 3600.0)
    assert Refused("no", by="robots", request=REQUEST).by == "robots"
    late = WouldExceedDeadline("no", retry_at=1e9, scope="key:A", request=REQUEST)
    assert (late.retry_at, late.scope, late.request) == (1e9, "key:A", REQUEST)
    hook = HookError("no", plugin="jsonl", hook="persist", request=REQUEST)
    assert (hook.plugin, hook.hook, hook.request) == ("jsonl", "persist", REQUEST)


def test_whether_one_error_is_retryable_does_not_change_its_class():
    error = ConnectFailed("the certificate is not valid")
    error.retryable = False
    assert not error.retryable
    assert ConnectFailed("x").retryable


@pytest.mark.parametrize("error", [ConfigError("x"), *SAMPLES[:6]], ids=lambda error: type(error).__name__)
def test_an_error_of_a_message_alone_can_be_pickled(error):
    assert str(pickle.loads(pickle.dumps(error))) == "x"


def test_who_refused_is_the_kind_of_a_refusal():
    assert Refused("x", by="quota").full_reason == "refused.quota"
    assert BadStatus("x", status=503).full_reason == "status_503"
