"""`KnownLinks`: links become known when the first process says so. The memory for that is bounded."""

from __future__ import annotations

from crawler import Request
from crawler.engine.processes import known_links
from crawler.engine.processes.known_links import KnownLinks
from crawler.engine.processes.packing import pack_requests

URL = "https://site.test/"


def links(*numbers: int) -> list[str]:
    """Return URLs of the site."""
    return [f"{URL}{number}" for number in numbers]


def test_links_of_a_page_are_known_but_for_those_that_the_news_names() -> None:
    known = KnownLinks()
    requests = [*map(Request, links(1, 2)), Request(f"{URL}9", meta={"a": 1}), *map(Request, links(3))]
    known.note(7, pack_requests(requests))
    assert not known.keys
    known.learn([(7, links(2)), (6, links(4)), (0, links(5))])
    assert known.keys == set(links(1, 3, 5))
    known.learn([(7, [])])  # it was said before
    assert known.keys == set(links(1, 3, 5))


def test_pages_of_which_nothing_is_heard_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(known_links, "MAX_SENT", 2)
    known = KnownLinks()
    for number in range(4):
        known.note(number, pack_requests([Request(f"{URL}{number}")]))
    known.note(4, [])
    known.learn([(number, []) for number in range(5)])
    assert known.keys == set(links(2, 3))
