"""`crawler.errors`: the attributes of each error, and which of them are retryable."""

from __future__ import annotations

import pickle

import pytest
from support.cases import each

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
    IncompleteBody,
    JobError,
    LoggedOut,
    PluginError,
    Refused,
    RequestError,
    Walled,
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
    LoggedOut("x"),
    Walled("x", kind="challenge"),
    IncompleteBody("x"),
]


@each("name", errors.__all__)
def test_every_error_is_a_crawler_error(name):
    assert issubclass(getattr(errors, name), CrawlerError)


def test_errors_that_end_a_crawl_are_not_request_errors():
    for error in (ConfigError, PluginError, JobError, CrawlFailed):
        assert not issubclass(error, RequestError)


@each(
    ("error", "reason"),
    list(zip(
        SAMPLES,
        ["request_error", "fetch_error", "connect_failed", "fetch_timeout", "broken_exchange", "body_too_large",
         "status_404", "redirect_loop", "refused", "would_exceed_deadline", "hook_error", "logged_out", "wall",
         "broken_exchange"],
        strict=True,
    )),
)  # fmt: skip
def test_the_reason_of_an_error_is_the_name_of_its_class_or_its_status(error, reason):
    assert error.reason == reason


def test_every_request_error_is_among_the_samples():
    kinds = {getattr(errors, name) for name in errors.__all__ if issubclass(getattr(errors, name), RequestError)}
    assert {type(error) for error in SAMPLES} == kinds


def test_only_transient_errors_are_retryable():
    assert {type(error) for error in SAMPLES if error.retryable} == {
        FetchError,
        ConnectFailed,
        FetchTimeout,
        BrokenExchange,
        IncompleteBody,
    }


@each("error", SAMPLES)
def test_request_and_retry_after_are_optional(error):
    assert str(error) == "x"
    assert error.request is None
    assert error.retry_after is None


def test_errors_carry_their_arguments():
    assert RequestError("x", request=REQUEST).request is REQUEST
    assert FetchTimeout("x", retry_after=7.0).retry_after == 7.0
    bad = BadStatus("no", status=429, request=REQUEST, retry_after=3600.0)
    assert (bad.status, bad.request, bad.retry_after) == (429, REQUEST, 3600.0)
    assert Refused("no", by="robots", request=REQUEST).by == "robots"
    late = WouldExceedDeadline("no", retry_at=1e9, scope="key:A", request=REQUEST)
    assert (late.retry_at, late.scope, late.request) == (1e9, "key:A", REQUEST)
    hook = HookError("no", plugin="jsonl", hook="persist", request=REQUEST)
    assert (hook.plugin, hook.hook, hook.request) == ("jsonl", "persist", REQUEST)


def test_retryable_can_be_set_on_one_error():
    error = ConnectFailed("the certificate is not valid")
    error.retryable = False
    assert not error.retryable
    assert ConnectFailed("x").retryable


@pytest.mark.parametrize("error", [ConfigError("x"), *SAMPLES[:6]], ids=lambda error: type(error).__name__)
def test_an_error_with_only_a_message_can_be_pickled(error):
    assert str(pickle.loads(pickle.dumps(error))) == "x"


def test_the_full_reason_of_a_refusal_names_its_origin():
    assert Refused("x", by="quota").full_reason == "refused.quota"
    assert BadStatus("x", status=503).full_reason == "status_503"


def test_the_message_of_an_error_contains_no_secret():
    for error in (
        ConfigError("cannot use https://ada:abc@h.example/?token=abc", 5),
        RequestError("Authorization: Bearer abc"),
        HookError("no answer from https://h.example/?sid=abc", plugin="p", hook="h"),
    ):
        assert "abc" not in f"{error!s} {error!r} {error.args}"
    assert ConfigError("x", 5).args == ("x", 5)
