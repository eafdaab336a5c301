"""`Checkpointer`: what goes into a commit beside outcomes, and how it is restored."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from crawler import Settings
from crawler.clock import Clock
from crawler.engine.checkpointer import WHOLE_EVERY, Checkpointer
from crawler.frontier import Frontier
from crawler.hooks.state import State
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJar
from crawler.stats import Stats
from crawler.store import Checkpoint, Observations, ResumeState, RobotsAnswer

A = "https://a.test"


class Case:
    """The parts of a crawl that a checkpoint has values of."""

    def __init__(
        self, resumed: ResumeState | None = None, clock: Clock | None = None, *, own_limits: bool = True
    ) -> None:
        self.clock = clock or Clock()
        self.stats = Stats()
        self.frontier = Frontier(Settings(pacing={"key:*": {"delay": 5.0}}))
        self.frontier.advance_clock(self.clock())
        self.guard = AddressGuard(opens_start_networks=True)
        self.cookies = CookieJar()
        resumed = resumed or ResumeState()
        self.states = [State("shop", resumed.states.get("shop")), State("other")]
        self.checkpointer = self.make()
        self.checkpointer.restore(resumed, own_limits=own_limits)

    def make(self, **options: bool) -> Checkpointer:
        """Return a checkpointer of these parts."""
        parts = (self.stats, self.frontier, self.guard, self.cookies, self.states, self.clock)
        return Checkpointer(*parts, **options)


def resume(*observed: Observations, unclean: bool = False) -> ResumeState:
    """What a store has kept after these commits."""
    rows: dict[str, Any] = {}
    states: dict[str, Any] = {}
    cookies = []
    for one in observed:
        rows |= one.checkpoint.to_rows()
        for owner, changed in one.states.items():
            states.setdefault(owner, {}).update({name: json.loads(value) for name, value in changed.items()})
        cookies += [(change.session, change.value) for change in one.cookies if change.value is not None]
    return ResumeState(checkpoint=Checkpoint.from_rows(rows), states=states, cookies=cookies, unclean=unclean)


async def test_every_checkpoint_has_the_counts_and_one_a_second_those_of_the_lanes(autojump_clock: MockClock) -> None:
    case = Case()
    case.stats.pages = 3
    case.stats.lane(A).requests = 4
    first, second = case.checkpointer.checkpoint(), case.checkpointer.checkpoint()
    await trio.sleep(WHOLE_EVERY)
    third = case.checkpointer.checkpoint()
    for observed, whole in ((first, True), (second, False), (third, True)):
        assert observed.checkpoint.stats is not None
        counts = msgspec.json.decode(observed.checkpoint.stats)
        assert counts["pages"] == 3
        assert ("lanes" in counts) is whole
        assert (observed.checkpoint.clock is not None) is whole
    assert case.checkpointer.checkpoint(whole=True).checkpoint.clock is not None


async def test_each_observation_is_in_one_commit_only(autojump_clock: MockClock) -> None:
    case = Case()
    answer = RobotsAnswer(A, 200, b"User-agent: *", 0.0)
    case.checkpointer.save_robots(answer)
    case.states[0]["page"] = 3
    case.cookies.store("", f"{A}/", ["id=1; Max-Age=1000"], case.clock())
    first, second = case.checkpointer.checkpoint(), case.checkpointer.checkpoint()
    assert (first.robots, first.states) == ([answer], {"shop": {"page": b"3"}})
    assert [(change.domain, change.name) for change in first.cookies] == [("a.test", "id")]
    assert (second.robots, second.states, second.cookies) == ([], {}, [])


async def test_a_cookie_that_was_removed_has_no_value(autojump_clock: MockClock) -> None:
    case = Case()
    case.cookies.store("", f"{A}/", ["id=1; Max-Age=1000"], case.clock())
    case.checkpointer.checkpoint()
    case.cookies.store("", f"{A}/", ["id=; Max-Age=0"], case.clock())
    [change] = case.checkpointer.checkpoint().cookies
    assert (change.name, change.value) == ("id", None)


async def test_the_next_run_continues_from_it(autojump_clock: MockClock) -> None:
    first = Case()
    first.stats.pages = 3
    first.states[0]["page"] = 3
    first.cookies.store("", f"{A}/", ["id=1; Max-Age=1000"], first.clock())
    first.guard.expect_start("intranet")
    budget = first.frontier.budgets["key:A"]
    budget.throttle.take(first.clock())
    second = Case(resume(first.checkpointer.checkpoint(whole=True)))
    assert second.stats.pages == 3
    assert second.states[0]["page"] == 3
    assert second.cookies.header("", f"{A}/", second.clock()) == "id=1"
    assert second.guard.check("intranet", ("10.0.0.1",)) == ("10.0.0.1",)  # as after a start page
    assert second.frontier.budgets["key:A"].throttle.ready_at(second.clock()) == pytest.approx(second.clock() + 5.0)


async def test_budgets_that_a_run_does_not_use_stay_as_they_were(autojump_clock: MockClock) -> None:
    first = Case()
    first.frontier.budgets["key:A"].throttle.take(first.clock())
    observed = first.checkpointer.checkpoint(whole=True)
    second = Case(resume(observed))
    second.frontier.budgets["key:B"].throttle.take(second.clock())
    found = second.checkpointer.checkpoint(whole=True).checkpoint.budgets
    assert found is not None
    assert found.keys() == {"key:A", "key:B"}
    assert observed.checkpoint.budgets is not None
    assert found["key:A"] == observed.checkpoint.budgets["key:A"]


async def test_a_lane_that_only_inline_fetches_use_is_kept_until_the_store_has_leased_it(
    autojump_clock: MockClock,
) -> None:
    case = Case()
    lane = case.frontier.lanes.open(A, epoch=0, head=(), more=False)
    assert case.checkpointer.checkpoint(whole=True).checkpoint.budgets is None
    lane.throttle.block(case.clock() + 100.0)
    found = case.checkpointer.checkpoint(whole=True).checkpoint.budgets
    assert found is not None
    assert list(found) == [A]
    lane.epoch = 1
    assert case.checkpointer.checkpoint(whole=True).checkpoint.budgets is None


@pytest.mark.parametrize(
    ("unclean", "own_limits", "waits"), [(False, True, False), (True, True, True), (True, False, False)]
)
async def test_after_an_interrupted_run_limits_of_its_own_wait_for_one_delay(
    autojump_clock: MockClock, *, unclean: bool, own_limits: bool, waits: bool
) -> None:
    first = Case()
    throttle = first.frontier.budgets["key:A"].throttle
    throttle.take(first.clock())
    resumed = resume(first.checkpointer.checkpoint(whole=True), unclean=unclean)
    await trio.sleep(3600.0)
    second = Case(resumed, first.clock, own_limits=own_limits)
    ready = second.frontier.budgets["key:A"].throttle.ready_at(second.clock())
    assert (ready > second.clock()) is waits


async def test_the_counts_are_not_encoded_for_a_store_that_keeps_none(autojump_clock: MockClock) -> None:
    case = Case()
    case.stats.lane(A).requests = 4
    assert case.make(durable=True).checkpoint().checkpoint.stats is not None
    assert case.make(durable=False).checkpoint(whole=True).checkpoint.stats is None
