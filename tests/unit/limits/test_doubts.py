"""Doubts: how long a failure is taken for an outage although a URL or a page may be to blame."""

from __future__ import annotations

import pytest

from crawler.errors import FetchError
from crawler.limits.breaker import Breaker
from crawler.limits.doubts import (
    DOUBT,
    LOOKUP_DOUBT,
    NEW_DOUBT,
    PAGE_DOUBT,
    PageDoubts,
    may_be_page,
    seconds_for_new_host,
)
from crawler.limits.trouble import Contact, Trouble

HOST = "https://a.test"


@pytest.mark.parametrize(
    ("contact", "is_elsewhere", "is_start", "seconds"),
    [
        ("none", False, False, NEW_DOUBT),
        ("none", False, True, LOOKUP_DOUBT),
        ("name", False, True, NEW_DOUBT),
        ("lookup", False, False, LOOKUP_DOUBT),
        ("none", True, False, DOUBT),
    ],
)
def test_a_new_host_gets_more_time_if_the_fault_may_be_elsewhere(
    contact: Contact, seconds: float, *, is_elsewhere: bool, is_start: bool
) -> None:
    assert seconds_for_new_host(contact, DOUBT, is_elsewhere=is_elsewhere, is_start=is_start) == seconds


def test_a_wait_in_vain_halves_the_next_one_until_the_host_recovers_during_one() -> None:
    doubts, vain, recovered, closed = PageDoubts(), Breaker(0.0), Breaker(0.0), Breaker(0.0)
    vain.waited_in_vain = True
    recovered.is_open = True
    doubts.record_end(HOST, vain)
    doubts.record_end(HOST, vain)
    doubts.record_end(HOST, closed)
    assert (doubts.seconds(HOST), doubts.seconds("https://b.test")) == (PAGE_DOUBT / 4, PAGE_DOUBT)
    doubts.record_end(HOST, recovered)
    assert doubts.seconds(HOST) == PAGE_DOUBT


def test_any_number_of_waits_in_vain_leaves_a_wait() -> None:
    doubts, vain = PageDoubts(), Breaker(0.0)
    vain.waited_in_vain = True
    for _ in range(2000):
        doubts.record_end(HOST, vain)
    assert 0.0 < doubts.seconds(HOST) < 0.1


@pytest.mark.parametrize(
    ("is_found", "is_repeated", "failed_first", "expected"),
    [(True, True, True, False), (False, True, True, True), (True, False, True, True), (True, True, False, True)],
)
def test_two_failures_in_a_row_of_a_page_that_was_found_say_nothing_about_it(
    *, is_found: bool, is_repeated: bool, failed_first: bool, expected: bool
) -> None:
    trouble = Trouble(
        scope=HOST, contact="sent", error=FetchError("no"), url=f"{HOST}/1", request=object(), started=0.0,
        is_known=True, is_found=is_found, is_repeated=is_repeated,
    )  # fmt: skip
    breaker = Breaker(0.0)
    if failed_first:
        breaker.failed_first.add(trouble.url)
    assert may_be_page(breaker, trouble) is expected
