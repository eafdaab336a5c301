"""What a crawl has lost, as a table of counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from crawler.losses.find import find_losses
from crawler.stats import Stats

GOOD = {"parse page": 40}
TABLE: dict[str, tuple[dict[str, int], list[tuple[str, int, int]]]] = {
    "all pages gave something": (GOOD, []),
    "nine refusals": ({"parse page": 9, "parse status_403": 9}, []),
    "ten of ten and more": ({"parse page": 9, "parse status_403": 10}, [("refused", 10, 19)]),
    "as much as the share": ({"parse page": 90, "parse status_403": 10}, []),
    "a little more than the share": ({"parse page": 89, "parse status_403": 11}, [("refused", 11, 100)]),
    "several statuses together": (
        {"parse page": 19, "parse status_403": 5, "parse status_503": 6}, [("refused", 11, 30)]
    ),
    "other callbacks are other classes": (
        {"parse page": 900, "item page": 1, "item status_429": 10}, [("refused", 10, 11)]
    ),
    "walls by kind": (
        {"parse page": 10, "parse wall.challenge": 12, "parse wall.login": 11},
        [("wall.challenge", 12, 33), ("wall.login", 11, 33)],
    ),
    "pages without a body": ({"parse page": 10, "parse empty": 12}, [("empty", 12, 22)]),
    "some pages gave nothing": ({"parse page": 20, "parse nothing": 20}, []),
    "most pages gave nothing": ({"parse page": 19, "parse nothing": 20}, [("nothing", 20, 39)]),
    "no page of a callback gave anything": (
        {"parse page": 9, "item nothing": 10}, [("nothing", 10, 10)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_the_pages_of_a_callback_are_a_class(case: str) -> None:
    results, expected = TABLE[case]
    stats = Stats(pages=50, items=50, results=Counter(results))
    found = find_losses(stats, "finished", 0.1)
    assert [(loss.kind, loss.count, loss.total) for loss in found] == expected
    assert find_losses(stats, "finished", 1) == []


def test_a_loss_says_where_and_what_to_do() -> None:
    urls = [f"https://a.test/{n}" for n in range(5)]
    stats = Stats(
        pages=19, items=19, results=Counter({"parse page": 19, "parse status_403": 282}),
        samples={"parse status_403": urls},
    )  # fmt: skip
    [loss] = find_losses(stats, "finished", 0.1)
    assert loss.samples == urls[:3]
    assert loss.message.startswith(
        "refused with status 403: 282 of 301 pages for parse() "
        "(https://a.test/0, https://a.test/1, https://a.test/2); the site blocks the crawl"
    )
    assert "\n" not in loss.message


BARREN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a page that gave nothing": ({"results": Counter({"parse nothing": 1})}, ["nothing"]),
    "a login that was refused": (
        {"results": Counter({"parse page": 1, "logged_in status_403": 1})}, ["refused"]
    ),
    "an empty page": ({"results": Counter({"parse empty": 1})}, ["empty"]),
    "links, but no items": ({"results": Counter({"parse page": 3})}, []),
    "a count": ({"results": Counter({"parse nothing": 1}), "counters": Counter({"seen": 1})}, []),
    "dropped items": ({"results": Counter({"parse nothing": 1}), "dropped": Counter({"old": 1})}, []),
    "a page that a plugin dealt with": ({"results": Counter({"parse nothing": 1}), "dealt_with": 1}, []),
    "an item": ({"results": Counter({"parse nothing": 1}), "items": 1}, []),
    "no page": ({"results": Counter({"parse status_403": 1}), "pages": 0}, []),  # `no_pages` says that
}  # fmt: skip


@pytest.mark.parametrize("case", BARREN)
def test_a_crawl_that_has_nothing_has_lost_even_one_page(case: str) -> None:
    fields, expected = BARREN[case]
    stats = Stats(**{"pages": 1, **fields})
    assert [loss.kind for loss in find_losses(stats, "finished", 0.1)] == expected
    assert find_losses(stats, "interrupted", 0.1) == []


def test_plugins_count_what_they_could_not_have() -> None:
    counters = Counter({"files/failed": 60, "images/failed": 2, "images/downloaded": 90, "seen": 5})
    stats = Stats(pages=1, items=1, counters=counters, samples={"files/failed": ["https://a.test/1 (status 404)"]})
    [loss] = find_losses(stats, "finished", 0.1)
    assert (loss.kind, loss.count, loss.total) == ("failed", 60, 60)
    assert loss.message == "files failed: 60 of 60 (https://a.test/1 (status 404))"
    counters["images/failed"] = 20
    assert [loss.count for loss in find_losses(stats, "finished", 0.1)] == [60, 20]


def test_texts_that_are_empty_are_compared_with_all_pages() -> None:
    stats = Stats(pages=100, items=100, counters=Counter({"markdown/empty": 10}))
    assert find_losses(stats, "finished", 0.1) == []
    stats.counters["markdown/empty"] = 11
    [loss] = find_losses(stats, "finished", 0.1)
    assert (loss.kind, loss.count, loss.total) == ("empty", 11, 100)


def test_a_login_that_failed_is_a_loss_of_any_share() -> None:
    assert [loss.kind for loss in find_losses(Stats(), "login_failed", 1)] == ["login_failed"]


@pytest.mark.parametrize(("redirects", "others", "is_loss"), [(9, 0, False), (10, 80, True), (10, 95, False)])
def test_a_target_that_many_pages_are_redirected_to_is_a_loss(redirects: int, others: int, is_loss: bool) -> None:
    stats = Stats(pages=others, items=others)
    for n in range(redirects):
        stats.redirect(f"https://site.test/order/{n}", f"https://site.test/login?next=%2Forder%2F{n}")
    kinds = [loss.kind for loss in find_losses(stats, "finished", 0.1)]
    assert kinds == (["redirected"] if is_loss else [])
