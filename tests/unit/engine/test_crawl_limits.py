"""`CrawlLimits`: how far a crawl may go, counted over the whole job."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from crawler import Settings
from crawler.engine.crawl_limits import CrawlLimits, NoCrawlLimits
from crawler.engine.peers import NoPeers
from crawler.engine.shutdown import Shutdown
from crawler.stats import Stats
from crawler.store import MemoryStore, Outcome


class Case:
    """The limits of some settings, with the counts of this worker and of others."""

    def __init__(self, *, others: dict[str, int] | None = None, **settings: Any) -> None:
        self.stats, self.shutdown = Stats(), Shutdown(1.0, lambda: None)
        peers = NoPeers(MemoryStore()) if others is None else cast("NoPeers", SimpleNamespace(counts=others))
        self.limits = CrawlLimits(Settings(**settings), self.stats, peers, self.shutdown)

    def reason(self) -> str | None:
        self.limits.check()
        return self.shutdown.reason


def with_items(*counts: int) -> list[Outcome]:
    return [cast("Outcome", SimpleNamespace(items=["x"] * (count - 1), staged_items=1)) for count in counts]


def test_no_more_pages_start_than_max_pages_even_if_each_in_flight_becomes_one() -> None:
    case = Case(max_pages=10, others={"pages": 2})
    case.stats.pages = 3
    assert case.limits.room(8, 1) == 4
    assert case.limits.room(2, 1) == 2
    assert Case(max_items=1).limits.room(8, 5) == 8


def test_outcomes_are_committed_until_max_items_is_reached() -> None:
    case = Case(max_items=5, others={"items": 1})
    assert case.limits.within(with_items(2, 2, 1)) == 2  # the second one reaches the limit, and is whole
    case.stats.items = 4
    assert case.limits.within(with_items(1)) == 0
    assert Case(max_pages=1).limits.within(with_items(9, 9)) == 2


@pytest.mark.parametrize(
    ("setting", "count", "by_limit"), [("pages", "pages", False), ("items", "items", False), ("errors", "failed", True)]
)
async def test_a_crawl_stops_when_a_count_reaches_its_limit(setting: str, count: str, *, by_limit: bool) -> None:
    case = Case(**{f"max_{setting}": 3}, others={count: 1})
    setattr(case.stats, count, 1)
    assert case.reason() is None
    setattr(case.stats, count, 2)
    assert case.reason() == f"max_{setting}"
    assert case.shutdown.by_limit is by_limit


async def test_a_crawl_stops_after_max_seconds(autojump_clock: MockClock) -> None:
    case = Case(max_seconds=30)
    await case.limits.watch()
    assert (trio.current_time(), case.shutdown.reason) == (30.0, "max_seconds")


def test_without_limits_everything_may_go_on() -> None:
    limits = NoCrawlLimits()
    limits.check()
    assert (limits.room(8, 5), limits.within(with_items(9, 9))) == (8, 2)
