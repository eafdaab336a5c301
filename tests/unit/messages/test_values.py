"""The small values: failures, rows, and the return values of hooks."""

from __future__ import annotations

import attrs
import pytest

from crawler import (
    BadStatus,
    ConnectFailed,
    Drop,
    Failure,
    HookError,
    Pause,
    Request,
    Response,
    Retry,
    Row,
    Stop,
    Usage,
)

REQUEST = Request("https://site.test/")


def test_a_failure_has_its_request_and_its_reason():
    error = BadStatus("status 503", status=503)
    response = Response("https://site.test/", 503)
    failure = Failure(request=REQUEST, error=error, attempts=3, response=response)
    assert (failure.request, failure.error, failure.attempts, failure.response) == (REQUEST, error, 3, response)
    assert failure.reason == "status_503"
    assert Failure(request=REQUEST, error=ConnectFailed("x"), attempts=1).response is None


def test_the_traceback_is_that_of_the_exception():
    try:
        try:
            {}["missing"]
        except KeyError as cause:
            raise HookError("KeyError: 'missing'", plugin="shop", hook="parse") from cause
    except HookError as raised:
        failure = Failure(request=REQUEST, error=raised, attempts=1)
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert '{}["missing"]' in failure.traceback
    assert failure.traceback.endswith("KeyError: 'missing'\n")


def test_a_failure_without_a_cause_has_no_traceback():
    assert Failure(request=REQUEST, error=ConnectFailed("x"), attempts=1).traceback == ""


def test_a_row_has_the_json_and_the_object_of_an_item():
    made = object()
    row = Row(b'{"a":[1,"\xc3\xbc"]}', "0.1.0", "https://site.test/", made)
    assert (row.key, row.page, row.value) == ("0.1.0", "https://site.test/", made)
    assert row.item == {"a": [1, "ü"]}
    row.item["a"].clear()
    assert row.item == {"a": [1, "ü"]}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (Drop(), {"reason": "dropped", "is_success": False}),
        (Drop("seen"), {"reason": "seen", "is_success": False}),
        (Retry(), {"reason": "retry", "after": None}),
        (Retry("captcha", after=60.0), {"reason": "captcha", "after": 60.0}),
        (Pause(5.0), {"seconds": 5.0, "scope": None}),
        (Pause(5.0, "https://site.test"), {"seconds": 5.0, "scope": "https://site.test"}),
        (Stop("budget"), {"reason": "budget"}),
    ],
)
def test_answers_of_hooks_are_values(value, fields):
    assert attrs.asdict(value) == fields
    assert value == type(value)(**fields)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, next(iter(fields)), "other")


@pytest.mark.parametrize("kind", [Drop, Retry, Stop])
def test_a_reason_that_is_not_text_is_refused_in_one_line(kind):
    with pytest.raises(TypeError) as caught:
        kind(ValueError("no price"))
    assert str(caught.value) == "reason must be str, not ValueError"


def test_usage_tells_of_an_attempt():
    usage = Usage(lane="https://site.test", request=REQUEST, requests=7, refusals=1)
    assert (usage.event, usage.response, usage.error) == ("answer", None, None)
    assert (usage.lane, usage.request, usage.requests, usage.refusals) == ("https://site.test", REQUEST, 7, 1)
