"""`RetriedPages`: pages that are served after they failed show that requests fail at random."""

from __future__ import annotations

import pytest

from crawler.limits.retried_pages import RetriedPages


def test_the_share_counts_the_attempts_of_pages_that_were_served() -> None:
    pages = RetriedPages(10.0)
    assert pages.failed_share == 0.0
    for _ in range(10):
        pages.record(1)
    assert pages.failed_share == pytest.approx(1 / 3, abs=0.05)


def test_few_results_show_no_share() -> None:
    pages = RetriedPages(0.0)
    for _ in range(9):
        pages.record(1)
    assert pages.failed_share == 0.0


def test_a_server_that_fails_nearly_always_is_out_of_order() -> None:
    pages = RetriedPages(0.0)
    for _ in range(10):
        pages.record(4)
    assert pages.failed_share == 0.0
