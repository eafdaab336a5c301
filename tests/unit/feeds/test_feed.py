"""Fields that a feed does not have are `None` or empty, and nothing is shared between feeds."""

from __future__ import annotations

import attrs
import pytest

from crawler.feeds import Enclosure, Feed, FeedEntry


def test_everything_is_optional_but_the_url_of_a_file():
    assert attrs.asdict(Feed()) == {"title": None, "url": None, "entries": [], "next": None, "fault": None}
    assert set(attrs.asdict(FeedEntry()).values()) == {None, ()}
    assert (Enclosure(url="https://a.test/").type, Enclosure(url="https://a.test/").length) == (None, None)
    with pytest.raises(TypeError, match="url"):
        Enclosure()


def test_feeds_share_no_list_of_entries():
    Feed().entries.append(FeedEntry())
    assert Feed().entries == []


def test_entries_are_values():
    assert FeedEntry(id="1") == FeedEntry(id="1") != FeedEntry(id="2")
    assert len({FeedEntry(id="1"), FeedEntry(id="1")}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        FeedEntry().id = "2"
