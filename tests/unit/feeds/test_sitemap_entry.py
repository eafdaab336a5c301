"""When an entry of a sitemap may have changed, and which of its fields make it equal to another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from crawler.feeds import SitemapEntry

URL = "https://site.test/page"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - of the strategy


def test_an_entry_without_a_date_may_have_changed_at_any_time():
    assert SitemapEntry(url=URL).changed_since(datetime.max.replace(tzinfo=UTC))


def test_a_moment_without_a_time_zone_is_in_utc():
    entry = SitemapEntry(url=URL, lastmod=NOON)
    assert entry.changed_since(datetime(2026, 1, 2, 12))  # noqa: DTZ001 - a naive one
    assert not entry.changed_since(datetime(2026, 1, 2, 12, 1))  # noqa: DTZ001 - a naive one
    assert entry.changed_since(NOON.astimezone(timezone(timedelta(hours=9))))


@given(MOMENTS, MOMENTS, st.timedeltas(timedelta(), timedelta(days=366)))
def test_an_entry_may_have_changed_until_the_end_of_its_period(lastmod, moment, period):
    assert SitemapEntry(url=URL, lastmod=lastmod).changed_since(moment) is (lastmod >= moment)
    entry = SitemapEntry(url=URL, lastmod=lastmod, until=lastmod + period)
    assert entry.changed_since(moment) is (lastmod + period >= moment)


def test_a_changed_date_counts_more_than_the_period_of_the_former_one():
    entry = SitemapEntry(url=URL, lastmod=NOON + timedelta(days=5), until=NOON)
    assert entry.changed_since(NOON + timedelta(days=4))


def test_entries_that_differ_in_their_period_are_equal():
    entry = SitemapEntry(url=URL, lastmod=NOON, until=NOON + timedelta(days=1))
    assert entry == SitemapEntry(url=URL, lastmod=NOON)
    assert "until" not in repr(entry)
