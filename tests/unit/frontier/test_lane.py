"""`Lane`: its window in order, its waits, and its robots.txt rules."""

from __future__ import annotations

import math
import random
from typing import Any

import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.frontiers import HOST, Rules, pending

from crawler.frontier import (
    Lane,
    Pending,
    lane_name,
)
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.settings import Settings


def lane(**settings: Any) -> Lane:
    return Lane(HOST, Throttle(HOST, Settings(**settings).pace(HOST), random.Random(1)))


def test_a_request_names_its_lane_or_belongs_to_that_of_its_origin() -> None:
    assert lane_name(Request("https://a.test:8443/x")) == "https://a.test:8443"
    assert lane_name(Request("https://a.test/x", lane="tenant")) == "tenant"


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 1000), st.sampled_from([-math.inf, 5.0, 9.0])), max_size=50)
)
def test_requests_come_by_tier_and_sequence_as_soon_as_they_are_not_put_off(rows: list[tuple[int, int, float]]) -> None:
    made = lane()
    for index, (tier, sequence, not_before) in enumerate(rows):
        one = Pending((tier, sequence * 100 + index), Request(f"{HOST}/{index}"), HOST, not_before=not_before)
        made.add(one)
    popped = []
    for now in (0.0, 5.0, 9.0):
        due = []
        while (found := made.pop(now)) is not None:
            due.append(found.order)
        assert due == sorted(due)
        popped += due
    assert sorted(popped) == sorted((tier, sequence * 100 + index) for index, (tier, sequence, _) in enumerate(rows))
    assert len(made) == 0


def test_the_head_is_the_next_request_even_if_it_is_put_off() -> None:
    made = lane()
    assert (made.head(), made.first_at(), len(made)) == (None, math.inf, 0)
    made.add(Pending((0, 1), Request(f"{HOST}/1"), HOST, not_before=7.0))
    head = made.head()
    assert head is not None
    assert (head.order, made.first_at()) == ((0, 1), 7.0)
    made.add(pending(2))
    head = made.head()
    assert head is not None
    assert (head.order, made.first_at(), len(made)) == ((0, 2), -math.inf, 2)


def test_waits_are_counted_by_reason_until_the_reason_changes() -> None:
    made = lane()
    for now, reason in ((0.0, "delay"), (1.0, "delay"), (3.0, "quota"), (4.0, ""), (9.0, "delay"), (10.0, "")):
        made.note_wait(now, reason)
    assert made.waited == {"delay": 4.0, "quota": 1.0}


def test_a_lane_is_full_if_all_its_tokens_are_taken_even_by_other_crawls() -> None:
    made = lane(per_host=2, slow_start=False)
    assert not made.is_full()
    made.throttle.busy = 1  # of another crawl with the same limits
    assert not made.is_full()
    permit = Permit(made.throttle)
    permit.enter()
    assert made.is_full()
    permit.leave()
    assert not made.is_full()


async def test_requests_made_in_place_wait_for_its_tokens(nursery: trio.Nursery) -> None:
    made = lane(per_host=2, slow_start=False)
    for name in "ab":
        made.limiter.acquire_on_behalf_of_nowait(name)
    nursery.start_soon(made.limiter.acquire_on_behalf_of, "c")
    await trio.testing.wait_all_tasks_blocked()
    assert made.is_full()
    assert made.limiter.statistics().tasks_waiting == 1
    made.limiter.release_on_behalf_of("a")
    await trio.testing.wait_all_tasks_blocked()
    assert made.limiter.statistics().tasks_waiting == 0
    assert made.is_full()


def test_a_crawl_delay_applies_to_the_lane_and_lowers_its_tokens() -> None:
    made = lane(per_host=8, slow_start=False)
    made.set_robots(HOST, Rules(delay=4.0), until=100.0)
    assert made.throttle.pacing.delay == 4.0
    made.fit_limiter()
    assert made.limiter.total_tokens == made.throttle.concurrency.limit == 2
    assert made.robots.expiry(HOST) == 100.0


def test_its_state_outlives_it() -> None:
    made = lane(delay=5.0)
    made.throttle.take(100.0)
    again = lane(delay=5.0)
    again.throttle.restore(made.state())
    assert again.throttle.ready_at(101.0) == 105.0


def refused(number: int, *, is_behind: bool = True) -> Pending:
    return Pending((0, number), Request(f"{HOST}/{number}"), HOST, is_behind=is_behind)


def test_requests_that_are_behind_come_after_all_others_and_then_in_turn() -> None:
    made = lane()
    for number in (4, 2, 3):
        made.add(refused(number, is_behind=number != 3))
    assert (len(made), made.ready_count(), made.first_at()) == (3, 3, -math.inf)
    assert [one.order[1] for one in made.first(3)] == [2, 3, 4]
    popped = []
    while (head := made.head()) is not None:
        assert made.pop(0.0) is head
        popped.append(head.order[1])
    assert popped == [3, 4, 2]
    assert (made.pop(0.0), len(made), made.first_at()) == (None, 0, math.inf)


def test_a_request_that_is_behind_goes_next_after_ten_that_were_served() -> None:
    made = lane()
    first, second, third = requests = [refused(number, is_behind=number < 3) for number in (1, 2, 3)]
    for one in requests:
        made.add(one)
    for _ in range(9):
        made.record_served()
    assert made.head() is third
    made.record_served()
    assert made.head() is first
    for _ in range(10):
        made.record_served()
    assert [made.pop(0.0), made.pop(0.0), made.pop(0.0)] == [first, second, third]


def test_a_request_that_is_behind_and_put_off_is_behind_later() -> None:
    made, late = lane(), refused(1)
    late.not_before = 5.0
    made.add(late)
    made.add(refused(2))
    assert made.pop(6.0) == refused(2)
    assert made.pop(6.0) is late


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 30))
def test_requests_that_are_behind_are_trimmed_and_forgotten_by_their_place(behind: list[bool], size: int) -> None:
    made = lane()
    for number, is_behind in enumerate(behind):
        made.add(refused(number, is_behind=is_behind))
    made.after = (0, len(behind))
    size = min(size, len(behind))
    assert made.trim(size) == len(behind) - size
    assert made.held == {(0, number) for number in range(size)}
    assert (made.ready_count(), made.after, made.more) == (size, (0, size - 1), True)
    assert made.forget() == size
    assert (made.held, len(made), made.head()) == (set(), 0, None)


class CountedOrder(tuple[int, int]):
    """A place that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __lt__(self, other: tuple[int, ...]) -> bool:
        CountedOrder.compared += 1
        return tuple.__lt__(self, other)

    def __eq__(self, other: object) -> bool:
        CountedOrder.compared += 1
        return tuple.__eq__(self, other)

    __hash__ = tuple.__hash__


def test_the_next_of_many_requests_is_found_quickly_behind_one_that_was_refused_often() -> None:
    made = lane()
    for number in range(2000):
        made.add(Pending(CountedOrder((0, number)), Request(f"{HOST}/{number}"), HOST, is_behind=number == 0))
    CountedOrder.compared = 0
    for _ in range(100):
        made.head()
        made.pop(0.0)
    assert CountedOrder.compared < 100 * 60


def test_a_lane_knows_whether_a_request_waits_that_was_never_refused() -> None:
    made = lane()
    refused = Pending((0, 1), Request(f"{HOST}/1"), HOST, not_before=7.0, refused_at=3.0)
    made.add(refused)
    assert not made.has_unrefused()
    made.add(pending(2))
    assert made.has_unrefused()
    assert made.pop(5.0) is not None
    assert not made.has_unrefused()
    made.more = True
    assert made.has_unrefused()


def test_a_request_is_alone_if_only_the_page_on_which_it_was_found_is_known() -> None:
    made = lane()
    chain = [pending(number) for number in range(3)]
    for one in chain:
        made.add(one)
    assert [one.is_alone for one in chain] == [True, True, False]
