"""`Snapshot`: conditions, changes, and when a page is due."""

from __future__ import annotations

import math

import pytest
from crawler_plugins.recrawl.snapshot import Snapshot, parse_http_date, parse_lastmod, usable_date, usable_etag
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

DAY = 86_400.0
WEEK = 7 * DAY


def visited(*contents, status=200, days=1.0, **fields):
    """Return the snapshot after a visit every `days`; `None` as a content stands for a 304."""
    page = Snapshot()
    for n, content in enumerate(contents):
        code = 304 if content is None else status
        values = {"etag": "", "modified": "", "is_listed": False} | fields
        page = page.after(status=code, at=n * days * DAY, digest=content or b"", **values)
    return page


def test_conditions_hold_the_validators_as_they_came():
    page = visited(b"a", etag='W/"1"', modified="Sat, 01 Jan 2000 00:00:00 GMT")
    assert page.conditions() == [
        ("If-None-Match", 'W/"1"'),
        ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ]
    assert Snapshot().conditions() == visited(b"a").conditions() == []
    assert visited(b"a", status=404, etag='"1"').conditions() == []  # an error page is not worth keeping


def test_a_304_keeps_the_validators_that_it_does_not_repeat():
    page = visited(b"a", etag='"1"', modified="x").after(
        status=304, at=DAY, digest=b"", etag='"2"', modified="", is_listed=False
    )
    assert (page.status, page.digest, page.etag, page.modified, page.unmodified) == (200, b"a", '"2"', "x", 1)


def test_after_twenty_304_in_a_row_a_page_is_fetched_without_conditions():
    page = visited(b"a", *[None] * 19, etag='"1"')
    assert page.conditions()
    page = page.after(status=304, at=20 * DAY, digest=b"", etag='"1"', modified="", is_listed=False)
    assert not page.conditions()
    page = page.after(status=200, at=21 * DAY, digest=b"a", etag='"1"', modified="", is_listed=False)
    assert page.conditions()


@each(
    ("before", "after", "change"),
    [
        (Snapshot(), visited(b"a"), "new"),
        (visited(b"a"), visited(b"a"), "unchanged"),
        (visited(b"a"), visited(b"b"), "changed"),
        (visited(b"a"), visited(b"", status=404), "gone"),
        (visited(b"a"), visited(b"/b", status=301), "gone"),
        (visited(b"", status=404), visited(b"", status=404), None),
        (Snapshot(), visited(b"", status=410), None),
        (visited(b"", status=404), visited(b"a"), "new"),
        (visited(b"/b", status=301), visited(b"a"), "new"),
        (Snapshot(), visited(b"/b", status=302), None),
        (visited(b"a"), visited(b"a", status=203), "unchanged"),
    ],
)
def test_changes(before, after, change):
    assert before.change(after) == change


def test_the_rate_is_the_estimator_of_cho_and_garcia_molina():
    page = visited(b"a", b"b", b"b", b"c", b"c")  # four visits after the first one, two changes, in four days
    rate = -math.log((4 - 2 + 0.5) / (4 + 0.5))  # changes a day
    assert page.interval(0, WEEK) == pytest.approx(DAY / rate)


def test_a_page_that_stays_the_same_is_left_alone_for_as_long_as_it_has_been_known():
    assert visited(b"a").interval(0, WEEK) == 0
    assert visited(b"a", b"a").interval(0, WEEK) == DAY
    assert visited(b"a", None, None, None).interval(0, WEEK) == 3 * DAY
    assert visited(b"a", *[None] * 30).interval(0, WEEK) == WEEK


def test_bounds_hold_and_a_listed_page_has_the_upper_one():
    assert visited(b"a").interval(3600, WEEK) == 3600
    assert visited(b"a", is_listed=True).interval(0, WEEK) == WEEK
    assert visited(b"a", b"b", b"c").interval(0, 0) == 0


def test_a_page_is_due_a_tenth_of_the_interval_early():
    page = visited(b"a", b"a")
    assert not page.is_due(DAY + 0.89 * DAY, 0, WEEK)
    assert page.is_due(DAY + 0.91 * DAY, 0, WEEK)
    assert Snapshot().is_due(0.0, WEEK, WEEK)


def test_a_page_that_is_missing_is_forgotten_at_once_or_after_ten_times():
    assert visited(b"", status=410).is_forgotten
    assert not visited(*[b""] * 9, status=404).is_forgotten
    assert visited(*[b""] * 10, status=404).is_forgotten
    assert not visited(*[b"a"] * 20).is_forgotten


def test_a_page_that_turns_into_an_error_is_watched_from_then_on():
    page = visited(b"a", b"b", b"c").after(status=404, at=9 * DAY, digest=b"", etag="", modified="", is_listed=False)
    assert (page.since, page.visits, page.changes) == (9 * DAY, 0, 0)


@pytest.mark.parametrize("text", ['"1"', 'W/"1"', "unquoted", '"\xe9"'])
def test_tags_that_can_be_sent_back(text):
    assert usable_etag(text) == text


@pytest.mark.parametrize("text", [None, "", '"a b"', '"\n"', '"\u20ac"', '"' + "x" * 1000 + '"'])
def test_tags_that_cannot_be_sent_back(text):
    assert usable_etag(text) == ""


def test_a_date_in_the_future_is_not_sent_back():
    text = "Sat, 01 Jan 2000 00:00:00 GMT"
    at = 946_684_800.0
    assert usable_date(text, at) == text
    assert usable_date(text, at - 1) == ""


@given(st.text(max_size=40) | st.none())
def test_any_text_may_stand_in_place_of_a_date(text):
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), float)
    assert usable_date(text, 1e9) in ("", text)


@pytest.mark.parametrize("text", ["Sat, 99 Jan 2000 00:00:00 GMT", "yesterday", ""])
def test_dates_that_are_not_valid(text):
    assert parse_http_date(text) is None


def test_a_lastmod_is_believed_unless_it_is_in_the_future():
    assert parse_lastmod("2000-01-01T00:00:00+00:00", 1e9) == parse_lastmod("2000-01-01", 1e9) == 946_684_800.0
    assert parse_lastmod("2000-01-02T00:00:00Z", 946_684_800.0) == 946_771_200.0  # later on the same day
    assert parse_lastmod("2000-01-03T00:00:00Z", 946_684_800.0) is None
    assert parse_lastmod("last week", 1e9) is parse_lastmod(7, 1e9) is parse_lastmod(None, 1e9) is None
