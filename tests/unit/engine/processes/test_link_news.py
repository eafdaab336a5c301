"""`LinkNews`: a link is news when the crawl knows it. The memory for links that wait is bounded."""

from __future__ import annotations

import pytest

from crawler.engine.processes import link_news
from crawler.engine.processes.link_news import LinkNews


def test_links_are_news_when_they_are_known_in_the_order_of_their_pages() -> None:
    news = LinkNews()
    news.note(1, ["a", "b"])
    news.note(2, [])
    news.hear(["c"])
    assert news.take({"a", "c"}) == []  # the first page could still fail
    assert news.take({"a", "b"}) == [(1, []), (2, [])]
    assert news.take({"c"}) == [(0, ["c"])]
    assert news.take({"c"}) == []


def test_links_that_never_become_known_keep_others_back_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_news, "MAX_WAITING", 2)
    news = LinkNews()
    news.note(1, ["refused", "a"])
    news.hear(["refused", "b"])
    assert news.take({"a", "b"}) == []
    news.note(3, [])
    assert news.take({"a", "b"}) == [(1, ["refused"])]
    news.hear(["refused"])
    news.hear(["c"])
    assert news.take({"a", "b", "c"}) == [(0, ["b"]), (3, [])]


def test_links_for_a_process_that_gets_no_page_are_bounded() -> None:
    news = LinkNews()
    for number in range(1, 2 * link_news.MAX_KEPT + 1):
        news.note(number, [])
    assert len(news.take(())) == link_news.MAX_KEPT
