"""Dates of sitemaps and feeds: W3C in all its forms, RFC 822, and what is neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.feeds.dates import parse_date, parse_w3c_date, w3c_period


@each(
    ("text", "moment"),
    [
        ("1997", datetime(1997, 1, 1, tzinfo=UTC)),
        ("1997-07", datetime(1997, 7, 1, tzinfo=UTC)),
        ("1997-07-16", datetime(1997, 7, 16, tzinfo=UTC)),
        ("1997-07-16T19:20+01:00", datetime(1997, 7, 16, 18, 20, tzinfo=UTC)),
        ("1997-07-16T19:20:30+01:00", datetime(1997, 7, 16, 18, 20, 30, tzinfo=UTC)),
        ("1997-07-16T19:20:30.45+01:00", datetime(1997, 7, 16, 18, 20, 30, 450_000, tzinfo=UTC)),
        ("1997-07-16T19:20:30Z", datetime(1997, 7, 16, 19, 20, 30, tzinfo=UTC)),
        ("1997-07-16T19:20:30-0500", datetime(1997, 7, 17, 0, 20, 30, tzinfo=UTC)),
        ("1997-07-16 19:20:30", datetime(1997, 7, 16, 19, 20, 30, tzinfo=UTC)),
        ("1997-07-16t19:20z", datetime(1997, 7, 16, 19, 20, tzinfo=UTC)),
        ("\n 1997-07-16 ", datetime(1997, 7, 16, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
    ],
)
def test_every_form_of_the_w3c(text, moment):
    assert parse_w3c_date(text) == moment
    assert parse_w3c_date(text).tzinfo is not None


@each(
    "text",
    [
        "", "yesterday", "97", "1997-13", "1997-02-30", "0000", "1997-07-16T25:00Z", "1997-07-16T19:61Z", "19970716",
        "1997-07-16T19:20:30+25:00", "1997-07-16T19", "16.07.1997", "1997-7-1", "١٩٩٧", "1997-07-16T19:20:61Z",
    ],
)  # fmt: skip
def test_an_invalid_date_is_none(text):
    assert parse_w3c_date(text) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("1996", "1996-12-31T23:59:59.999999Z"),
        ("1996-02", "1996-02-29T23:59:59.999999Z"),
        ("1996-12", "1996-12-31T23:59:59.999999Z"),
        ("1996-02-29", "1996-02-29T23:59:59.999999Z"),
        ("1996-02-29T01:02Z", "1996-02-29T01:02:00Z"),
    ],
)
def test_a_date_without_a_time_is_a_whole_period(text, last):
    assert w3c_period(text)[1] == parse_w3c_date(last)


def test_the_last_days_of_all_time():
    assert [w3c_period(text)[1].year for text in ("9999", "9999-12", "9999-12-31")] == [9999, 9999, 9999]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Tue, 03 Jun 2003 09:39:21 GMT", datetime(2003, 6, 3, 9, 39, 21, tzinfo=UTC)),
        ("03 Jun 03 09:39 EST", datetime(2003, 6, 3, 14, 39, tzinfo=UTC)),
        ("Tue, 03 Jun 2003 09:39:21 +0200", datetime(2003, 6, 3, 9, 39, 21, tzinfo=timezone(timedelta(hours=2)))),
        ("Tue, 03 Jun 2003 09:39:21", datetime(2003, 6, 3, 9, 39, 21, tzinfo=UTC)),
        ("2003-06-03", datetime(2003, 6, 3, tzinfo=UTC)),
    ],
)
def test_dates_of_feeds_may_be_those_of_mail(text, moment):
    assert parse_date(text) == moment
    assert parse_date(text).tzinfo is not None


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{4}")
       | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,9} [+-]?[0-9A-Z]{1,9}\Z")
)  # fmt: skip
def test_no_text_raises_and_every_moment_has_a_zone(text):
    found = parse_date(text)
    assert found is None or found.tzinfo is not None
    period = w3c_period(text)
    assert period is None or period[0] <= period[1]
