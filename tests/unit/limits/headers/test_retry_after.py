"""``Retry-After`` in every form that servers send."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.retry_after import MAX_RETRY_AFTER, parse_retry_after

NOW = 784111777.0 - 100  # Sun, 06 Nov 1994 08:49:37 GMT is 784111777


@pytest.fixture
def far_from_greenwich(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@each(
    ("value", "seconds"),
    [("120", 120.0), ("0", 0.0), (" 3600 ", 3600.0), ("007", 7.0), ("1.5", 1.5), ("9.998", 9.998), ("2, 2", 2.0),
     ("2,7,5", 7.0), ("5, soon", 5.0), ("5s", 5.0), ("1m30s", 90.0), ("12.771204034s", 12.771204034), ("250ms", 0.25),
     ("120;comment=x", 120.0), ("784111807", 130.0), ("784111807000", 130.0), ("9999999999999", MAX_RETRY_AFTER)],
)  # fmt: skip
def test_seconds(value, seconds):
    assert parse_retry_after(value, now=NOW) == pytest.approx(seconds)


def test_numbers_of_a_field_in_milliseconds():
    assert parse_retry_after("1500", now=NOW, milliseconds=True) == 1.5


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # RFC 9110 section 5.6.7: the three forms of a date
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "Sun Nov 06 1994 08:49:36 GMT+0000 (Coordinated Universal Time)",  # JavaScript truncates fractions of a second
        "Sun Nov 06 1994 10:49:36 GMT+0200 (Central Africa Time)",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:30 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_a_date_is_a_wait_until_then_in_every_local_time_zone(value, far_from_greenwich):
    assert parse_retry_after(value, now=NOW) == 100.0


def test_a_date_in_the_past_is_a_wait_of_zero():
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now=NOW + 200) == 0.0


@each(
    "value",
    [None, "", " ", ",", "-5", "+5", "1e3", "5 s", "soon", "²", "٣", "nan", "inf", "0x10", "GMT", "Sun, 06 Nov 1994",
     "Sun, 99 Nov 1994 08:49:37 GMT", "9" * 400, "\x00", "Sun, 06 Nov 99999999999 08:49:37 GMT", "1" * 100_000,
     "2, " * 50_000],
)  # fmt: skip
def test_malformed_values(value):
    assert parse_retry_after(value, now=NOW) is None


@given(st.text() | st.text(alphabet="0123456789.,:;+-TZGMTms Nov"), st.floats(0, 1e10), st.booleans())
def test_no_text_breaks_it(value, now, milli):
    wait = parse_retry_after(value, now=now, milliseconds=milli)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER
