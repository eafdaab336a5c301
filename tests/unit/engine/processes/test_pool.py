"""`NewLinks`: a link is announced when the crawl knows it. The memory for links that wait is bounded."""

from __future__ import annotations

import pytest

from crawler.engine.processes import pool
from crawler.engine.processes.pool import NewLinks


def test_links_are_announced_when_they_are_known_in_the_order_of_their_pages() -> None:
    links = NewLinks()
    links.add(["a", "b"])
    links.add([])
    links.add(["c"])
    assert links.take({"a", "c"}) == []  # the first page could still fail
    assert links.take({"a", "b"}) == ["a", "b"]
    assert links.take({"c"}) == ["c"]
    assert links.take({"c"}) == []


def test_links_that_never_become_known_keep_others_back_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_WAITING", 2)
    links = NewLinks()
    links.add(["refused", "a"])
    links.add(["refused", "b"])
    assert links.take({"a", "b"}) == []
    links.add(["refused"])
    assert links.take({"a", "b"}) == ["a"]
    links.add(["c"])
    assert links.take({"a", "b", "c"}) == ["b"]
