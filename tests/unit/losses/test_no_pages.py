"""Why a crawl has no page."""

from __future__ import annotations

from collections import Counter

from crawler.losses.no_pages import reason_for_no_pages
from crawler.stats import Stats

NO_PAGE = "no start page gave a page: "


def test_a_crawl_with_a_page_or_an_item_has_no_reason() -> None:
    assert reason_for_no_pages(Stats(pages=1), "finished") == ""
    assert reason_for_no_pages(Stats(items=1), "finished") == ""
    assert reason_for_no_pages(Stats(dealt_with=1), "finished") == ""


def test_a_stop_for_another_reason_is_not_a_crawl_without_pages() -> None:
    assert reason_for_no_pages(Stats(), "nothing is new") == ""
    assert reason_for_no_pages(Stats(), "max_seconds") == f"{NO_PAGE}it was not reached in time"
    assert reason_for_no_pages(Stats(), "finished") == f"{NO_PAGE}start() yielded no request"


def test_responses_without_a_page_have_their_status() -> None:
    assert (
        reason_for_no_pages(Stats(statuses=Counter({304: 1})), "finished")
        == f"{NO_PAGE}no response is one (status 304)"
    )
    stats = Stats(statuses=Counter({304: 1}), samples={"status_304": ["https://a.test/"]})
    assert reason_for_no_pages(stats, "finished") == f"{NO_PAGE}https://a.test/ returned status 304"


def test_each_cause_has_its_url_and_a_few_are_shown() -> None:
    stats = Stats(
        kinds=Counter({"connect_failed.refused": 1}),
        statuses=Counter({404: 2, 301: 1}),
        filtered=Counter({"robots": 1, "secret": 1, "scope": 1}),
        samples={"status_404": ["https://a.test/"], "robots": ["https://b.test/"], "connect_failed.refused": ["x"]},
    )
    assert reason_for_no_pages(stats, "finished") == (
        f"{NO_PAGE}x failed (connect_failed.refused); https://a.test/ returned status 404; its robots.txt forbids "
        "https://b.test/ (and 2 other causes)"
    )
    stats.filtered.pop("robots")
    stats.kinds.clear()
    assert reason_for_no_pages(stats, "finished") == (
        f"{NO_PAGE}https://a.test/ returned status 404; a request was skipped (secret); a request is out of scope "
        "(allowed_domains)"
    )


def test_a_request_that_failed_is_named_once() -> None:
    stats = Stats(
        kinds=Counter({"refused.robots": 1}), filtered=Counter({"robots": 1}), samples={"refused.robots": ["x"]}
    )
    assert reason_for_no_pages(stats, "finished") == f"{NO_PAGE}x failed (refused.robots)"
