"""`Permit`: every start is settled exactly once, and each limit is updated with what concerns it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.headers.bodies import MAX_BODY
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit, RecheckPermit, RobotsPermit
from crawler.limits.throttle import Throttle

START = 1_800_000_000.0
USUAL = Pace(concurrency=8, delay=0.0, jitter=0.0)
JSON = ("Content-Type", "application/json; charset=utf-8")


def throttle(name: str = "https://a.test", **pace: Any) -> Throttle:
    return Throttle(name, Pace(**pace).over(USUAL), random.Random(1))


def taken(lane: Throttle, *budgets: Throttle, now: float = START, is_sent: bool = True) -> Permit:
    """Return a permit whose request is in flight."""
    permit = Permit(lane, [(budget, 1.0) for budget in budgets])
    permit.enter()
    permit.take(now)
    if is_sent:
        permit.sent(now)
    return permit


def answer(permit: Permit, status: int = 200, now: float = START + 0.1, body: bytes = b"", **headers: str) -> list[Any]:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    events = permit.answered(now, status=status, headers=fields, body=body, first_byte=0.1)
    permit.leave()
    return events


def test_a_refusal_without_a_response_is_settled_like_a_429_without_fields() -> None:
    by_status, by_code = taken(throttle()), taken(throttle())
    found = answer(by_status, 429)
    assert by_code.refused(START + 0.1) == found
    by_code.leave()
    assert by_code.refused_by is by_code.lane
    assert by_code.lane.statistics(START + 1.0) == by_status.lane.statistics(START + 1.0)


@given(
    st.lists(
        st.sampled_from(["enter", "take", "sent", "cancelled", "failed", "answered", "refused", "leave"]), max_size=60
    ),
    st.integers(0, 2),
)
def test_every_start_is_settled_once_and_every_slot_is_released(actions: list[str], n: int) -> None:
    limits = [throttle(rate="60/min"), *(throttle(f"key:{number}") for number in range(n))]
    permit = Permit(limits[0], [(budget, 2.0) for budget in limits[1:]])
    now = START
    for action in actions:
        now += 1.0
        if action == "take":
            if not permit.is_open:
                permit.take(now)
        elif action == "enter":
            if not permit.is_in_flight:
                permit.enter()
        elif action == "sent":
            permit.sent(now)
        elif action == "failed":
            permit.failed(now, overloaded=True)
        elif action in {"answered", "refused"}:
            permit.answered(now, status=200 if action == "answered" else 429, headers=[], first_byte=0.1)
        else:
            getattr(permit, action)()
        assert {one.inflight for one in limits} == {int(permit.is_open)}
        assert limits[0].busy == int(permit.is_in_flight)
    permit.cancelled()
    permit.leave()
    assert not any(one.inflight or one.busy for one in limits)


def test_a_permit_cannot_be_taken_twice_without_being_settled() -> None:
    permit = taken(throttle())
    with pytest.raises(AssertionError):
        permit.take(START + 1)


def test_a_request_that_was_not_sent_is_returned_and_a_sent_one_is_spent() -> None:
    for is_sent in (False, True):
        lane, key = throttle(delay=5.0), throttle("key:A", rate="6/min")
        permit = taken(lane, key, is_sent=is_sent)
        permit.cancelled()
        assert (lane.ready_at(START + 1) > START + 1) is is_sent
        assert (key.ready_at(START + 1) > START + 1) is is_sent


def test_a_failure_before_anything_was_sent_costs_no_quota_but_keeps_the_delay() -> None:
    lane, key = throttle(delay=5.0), throttle("key:A", rate="6/min")
    taken(lane, key, is_sent=False).failed(START + 0.1, overloaded=True)
    assert lane.ready_at(START + 1) == START + 5
    assert key.ready_at(START + 1) <= START + 1
    assert lane.concurrency.limit == 1


@pytest.mark.parametrize("status", [420, 429])
def test_a_refusal_blocks_the_budget_and_is_not_a_success_of_the_lane(status: int) -> None:
    lane, key, other = throttle(), throttle("key:A"), throttle("key:B")
    permit = taken(lane, key, other)
    events = answer(permit, status, Retry_After="30")
    assert permit.refused_by is key
    assert permit.declared.retry_after == 30
    assert [(event.kind, event.scope) for event in events] == [("refused", "key:A")]
    assert key.ready_at(START + 1) >= START + 30
    assert lane.ready_at(START + 1) <= START + 1
    assert other.ready_at(START + 1) <= START + 1
    assert lane.concurrency.limit == 1


def test_without_a_budget_a_refusal_blocks_the_lane() -> None:
    lane = throttle()
    permit = taken(lane)
    answer(permit, 429, Retry_After="30")
    assert permit.refused_by is lane
    assert lane.ready_at(START + 1) >= START + 30


def test_an_overloaded_server_blocks_its_lane_and_its_quota_reaches_the_budget() -> None:
    lane, key = throttle(), throttle("key:A")
    permit = taken(lane, key)
    answer(permit, 503, Retry_After="30", RateLimit_Policy='"q";q=10;w=60', RateLimit='"q";r=4;t=50')
    assert permit.refused_by is lane
    assert lane.ready_at(START + 1) >= START + 30
    assert key.ready_at(START + 1) < START + 30
    assert key.policies()["q"]["remaining"] == 4
    assert lane.policies() == {}


@pytest.mark.parametrize("status", [200, 429, 503])
def test_a_declared_concurrency_concerns_the_lane(status: int) -> None:
    lane, key = throttle(), throttle("key:A")
    answer(taken(lane, key), status, Concurrency_Limit="3")
    assert lane.concurrency.most == 3
    assert key.concurrency.most == 8


@pytest.mark.parametrize(("status", "level"), [(200, 2), (500, 2), (503, 1), (504, 1), (529, 1)])
def test_a_success_raises_the_level_and_an_overload_does_not(status: int, level: int) -> None:
    lane = throttle()
    answer(taken(lane), status)
    assert lane.concurrency.limit == level


def test_a_permit_may_be_taken_again_in_the_same_slot() -> None:
    lane = throttle()
    permit = taken(lane)
    permit.answered(START + 0.1, status=401, headers=[], first_byte=0.1)
    permit.take(START + 0.2)
    assert permit.sent_at is None
    assert (lane.busy, lane.inflight) == (1, 1)
    permit.sent(START + 0.2)
    answer(permit, now=START + 0.3)
    assert (lane.busy, lane.inflight) == (0, 0)


def test_watchers_are_called_when_all_limits_are_updated_and_the_slot_is_free() -> None:
    lane, key = throttle(), throttle("key:A")
    told: list[tuple[str, float, int]] = []
    for one in (lane, key):
        one.watchers = (lambda one=one: told.append((one.name, key.ready_at(START + 1) - START, lane.busy)),)
    permit = taken(lane, key)
    permit.leave()
    assert told == []
    answer(permit, 429, Retry_After="30")
    assert [name for name, _, _ in told] == ["https://a.test", "key:A"]
    assert all(wait >= 30 and busy == 0 for _, wait, busy in told)


def test_the_body_of_a_refusal_is_read() -> None:
    lane = throttle()
    permit = taken(lane)
    assert permit.reads_body(429, [JSON])
    answer(permit, 429, body=b'{"retry_after": 40}', Content_Type=JSON[1])
    assert permit.declared.retry_after == 40
    assert lane.ready_at(START + 1) >= START + 40


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b'{"retry_after": 40', "application/json"),
        (b"\xff{}", "application/json"),
        (b"[" * 5000, "application/json"),
        (b'{"retry_after": 40}', "text/html"),
        (b'{"retry_after": 40, "x": "' + b"x" * MAX_BODY + b'"}', "application/json"),
    ],
)
def test_a_body_that_is_not_json_of_moderate_size_is_ignored(body: bytes, content_type: str) -> None:
    permit = taken(throttle())
    answer(permit, 429, body=body, Content_Type=content_type)
    assert permit.declared.retry_after is None


@pytest.mark.parametrize("of_budget", [False, True])
def test_other_bodies_are_read_if_a_pace_enables_it(of_budget: bool) -> None:
    body = msgspec.json.encode({"errors": [{"extensions": {"code": "THROTTLED"}}]})
    lane, key = throttle(bodies=not of_budget), throttle("key:A", bodies=of_budget)
    permit = taken(lane, key)
    assert permit.reads_body(200, [JSON])
    assert not permit.reads_body(200, [("content-type", "text/html")])
    answer(permit, 200, body=body, Content_Type=JSON[1])
    assert permit.refused_by is key
    plain = taken(throttle(), throttle("key:A"))
    assert not plain.reads_body(200, [JSON])
    answer(plain, 200, body=b'{"error": "ratelimited"}', Content_Type=JSON[1])
    assert plain.refused_by is None


def test_an_answer_to_graphql_is_read_whenever_it_is_at_hand() -> None:
    lane = throttle()
    permit = taken(lane)
    filler = b"x" * 20_000
    cost = b'{"throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 954, "restoreRate": 50}}'
    answer(permit, body=b'{"data": "%b", "extensions": {"cost": %b}}' % (filler, cost), Content_Type=JSON[1])
    assert permit.refused_by is None
    assert [one.remaining for one in permit.declared.observations] == [954]
    permit.take(START + 1)
    errors = b'{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}], "data": "%b"}'
    answer(permit, now=START + 1.1, body=errors % filler, Content_Type=JSON[1])
    assert permit.refused_by is lane


@pytest.mark.parametrize(
    ("status", "content_type", "body", "refused"),
    [
        (403, "text/html", b"<h1>Error\n 1015</h1>", True),
        (403, "application/json", b'{"message": "You have exceeded a secondary rate limit."}', True),
        (403, "text/html", b"<h1>Forbidden</h1>", False),
        (403, "image/png", b"too many requests", False),
        (400, "text/html", b"too many requests", False),
        (400, "text/xml", b"<Error><Code>Throttling</Code></Error>", True),
        (400, "text/xml", b"<Error><Code>InvalidParameter</Code></Error>", False),
        (400, "application/x-amz-json-1.1", b'{"__type": "ThrottlingException"}', True),
        (404, "application/json", b'{"__type": "ThrottlingException"}', False),
    ],
)
def test_a_body_may_say_that_an_error_is_a_refusal(status: int, content_type: str, body: bytes, refused: bool) -> None:
    lane = throttle()
    permit = taken(lane)
    assert permit.reads_body(status, [("content-type", content_type)]) == (
        status != 404 and "image" not in content_type
    )
    answer(permit, status, body=body, Content_Type=content_type)
    assert (permit.refused_by is lane) == refused


def asked(permit: Permit, at: float, status: int) -> Permit:
    """Return a permit after its request was sent at a time, and answered."""
    permit.take(START + at)
    permit.sent(START + at)
    answer(permit, status, now=START + at + 0.1, body=b"<h1>Hello</h1>", Content_Type="text/html")
    return permit


@pytest.mark.parametrize(
    ("permit_of", "asks"), [(partial(Permit, may_recheck=True), True), (Permit, False), (RobotsPermit, False)]
)
def test_a_forbidden_page_may_be_the_begin_of_a_ban_unless_its_caller_wants_it_or_it_is_a_robots_txt(
    permit_of: Callable[[Throttle], Permit], *, asks: bool
) -> None:
    lane = throttle()
    for at, status in enumerate((200, 429, 200)):
        asked(Permit(lane), at, status)
    permit = asked(permit_of(lane), 5, 403)
    assert (permit.asks_recheck, lane.is_full(), permit.refused_by) == (asks, asks, None)


@pytest.mark.parametrize(("status", "refused"), [(200, False), (404, False), (403, True)])
def test_it_is_one_if_a_page_is_forbidden_as_well_that_was_served(status: int, *, refused: bool) -> None:
    lane = throttle()
    asked(Permit(lane), 0, 200)
    first = asked(Permit(lane, may_recheck=True), 1, 403)
    other = asked(Permit(lane, may_recheck=True), 1, 403)
    assert (other.asks_recheck, other.refused_by) == (False, lane), "it waits for what the first one finds out"
    assert not lane.policies(), "nothing is learned yet"
    again = asked(RecheckPermit(lane), 2, status)
    first.end_recheck(again.refused_by)
    assert lane.refusal_budget.is_refusing() == refused
    assert (first.refused_by, first.is_forbidden) == (lane, not refused)
    assert not lane.is_full()


def test_a_page_that_is_forbidden_twice_is_not_refused() -> None:
    lane = throttle()
    asked(Permit(lane), 0, 200)
    for was_forbidden in (False, True):
        permit = asked(Permit(lane, may_recheck=True), 1, 403)
        permit.end_recheck(asked(RecheckPermit(lane), 2, 200).refused_by)
        refusal = permit.judge_refusal(START + 3, math.inf, was_forbidden=was_forbidden, has_others=True)
        assert (refusal is None) == was_forbidden
    assert not asked(Permit(lane, may_recheck=True), 4, 403).asks_recheck


def test_another_start_of_the_same_permit_ends_the_suspicion() -> None:
    lane = throttle()
    asked(Permit(lane), 0, 200)
    permit = asked(Permit(lane, may_recheck=True), 1, 403)
    permit.take(START + 2)
    assert not lane.is_full()


def test_each_pace_may_declare_further_statuses_as_refusals() -> None:
    lane, key = throttle(refusals=(400,)), throttle("key:A", refusals=(999,))
    for status, refused in ((400, True), (999, False), (404, False)):
        permit = taken(lane, now=START + status)
        answer(permit, status, now=START + status + 0.1)
        assert (permit.refused_by is lane) is (refused and status < 500)
    permit = taken(throttle(), key)
    answer(permit, 999)
    assert permit.refused_by is not None


def test_a_permit_is_paced_if_one_of_its_limits_is() -> None:
    assert not Permit(throttle(), [(throttle("key:A"), 1.0)]).is_paced()
    assert Permit(throttle(delay=1.0)).is_paced()
    assert Permit(throttle(), [(throttle("key:A", rate="1/s"), 1.0)]).is_paced()


def test_a_lane_may_cost_more_than_one_unit() -> None:
    lane = throttle(rate="1/s")
    permit = Permit(lane, cost=3.0)
    permit.take(START)
    assert lane.ready_at(START) == START + 3


def test_a_robots_txt_that_is_served_ends_no_series_of_refusals() -> None:
    for kind, refuses_all in ((Permit, False), (RobotsPermit, True)):
        lane = throttle()
        for second in (0.0, 1.0):
            answer(taken(lane, now=START + second), 429, now=START + second)
        robots = kind(lane)
        robots.enter()
        robots.take(START + 2)
        robots.sent(START + 2)
        answer(robots, now=START + 3)
        assert (robots.refused_by, robots.is_open) == (None, False)
        answer(taken(lane, now=START + 4), 429, now=START + 4)
        assert lane.refusal_budget.refuses_all == refuses_all


def test_a_robots_txt_is_no_page_that_its_host_has_served() -> None:
    lane = throttle()
    robots = RobotsPermit(lane)
    robots.enter()
    robots.take(START)
    robots.sent(START)
    answer(robots)
    assert not lane.refusal_budget.has_served
