"""`RetryPolicy`: which requests are sent again, when, and what that uses up."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.cases import each

from crawler import BadStatus, BodyTooLarge, BrokenExchange, ConnectFailed, Request, Retry, RetryPolicy, Settings
from crawler.http.retry_safety import is_transient

GET = Request("https://site.test/")
POST = Request("https://site.test/", method="POST", body=b"x")
KEYED = POST.replace(headers={"Idempotency-Key": "1"})
ASKED = POST.replace(attempts=3)
POLICY = RetryPolicy(Settings(attempts=3, backoff_base=2.0, backoff_max=10.0), random.Random(0))


def status(code: int, retry_after: float | None = None) -> BadStatus:
    error = BadStatus(f"status {code}", status=code, retry_after=retry_after)
    error.retryable = is_transient(code)
    return error


@each(
    ("request_", "error", "again"),
    [
        (GET, ConnectFailed("refused"), True),
        (POST, ConnectFailed("refused"), False),  # the server may have got it
        (GET, status(500), True),
        (POST, status(500), False),  # the server may have processed it
        (POST, status(503), False),
        (POST, status(408), True),
        (POST, status(529), True),  # it has not
        (KEYED, status(500), True),
        (KEYED, BrokenExchange("reset"), True),
        (ASKED, BrokenExchange("reset"), True),
        (GET, status(501), False),
        (GET, status(404), False),
        (GET, BodyTooLarge("large"), False),
        (POST, Retry("captcha"), True),
        (GET, status(503, retry_after=86_400.0), True),
        (GET, status(503, retry_after=86_401.0), False),
        (GET, Retry("captcha", after=1e9), False),
    ],
)
def test_which_errors_have_another_attempt(request_: Request, error: Any, *, again: bool) -> None:
    assert (POLICY.wait(request_, 1, error) is not None) is again
    assert POLICY.wait(request_, 3, error) is None


def test_a_stated_wait_is_kept_and_others_grow_up_to_the_maximum() -> None:
    assert POLICY.wait(GET, 1, status(500, retry_after=7.5)) == 7.5
    assert POLICY.wait(GET, 1, Retry("captcha", after=0.0)) == 0.0
    for failures, ceiling in ((1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (60, 10.0)):
        assert all(0.0 <= POLICY.pause(failures) <= ceiling for _ in range(100))
        assert max(POLICY.pause(failures) for _ in range(100)) > ceiling / 2


def test_a_request_has_its_own_number_of_attempts() -> None:
    once = Request("https://site.test/", attempts=1)
    often = Request("https://site.test/", attempts=9)
    assert POLICY.wait(once, 1, status(500)) is None
    assert POLICY.wait(often, 8, status(500)) is not None
    assert POLICY.wait(often, 9, status(500)) is None


@each(
    ("request_", "error", "refusals", "expected"),
    [
        (GET, status(429), 0, True),
        (GET, status(429), 4, True),
        (GET, status(429), 5, False),
        (POST, status(429), 0, True),
        (GET, status(429, retry_after=86_401.0), 0, True),
        (GET, status(503, retry_after=5.0), 4, True),
        (GET, status(503), 4, True),
        (GET, status(503), 5, False),
        (POST, status(503, retry_after=5.0), 0, False),
        (KEYED, status(503, retry_after=5.0), 0, True),
        (POST, status(509), 0, True),
        (POST, status(529), 4, True),
        (POST, status(403), 0, True),  # refused because of a limit
        (POST, status(500), 0, False),  # a status that `Pace.refusals` names
        (Request("https://site.test/", attempts=5), status(503), 0, False),
        (Request("https://site.test/", attempts=5), status(429), 0, True),
    ],
)
def test_refusals_that_use_up_no_attempt(request_: Request, error: BadStatus, refusals: int, *, expected: bool) -> None:
    assert POLICY.goes_back(request_, error, refusals) is expected


@pytest.mark.parametrize(("share", "allowed"), [(0.0, 3), (0.01, 3), (0.09, 5), (0.4, 12), (0.7, 12)])
def test_a_request_gets_more_attempts_where_others_fail_as_well(share, allowed):
    policy, request = RetryPolicy(Settings()), Request("https://a.test/")
    error = BrokenExchange("closed", request=request)
    waits = [policy.wait(request, policy.counted_attempts(request, n, share), error) for n in range(1, allowed + 1)]
    assert None not in waits[:-1]
    assert waits[-1] is None


def test_attempts_that_were_given_are_kept():
    request = Request("https://a.test/")
    assert RetryPolicy(Settings(attempts=3)).counted_attempts(request, 3, 0.4) == 3
    assert RetryPolicy(Settings()).counted_attempts(request.replace(attempts=2), 2, 0.4) == 2
