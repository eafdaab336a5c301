"""`Throttle` and `Limits`: one scope whole, and scopes by name."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from crawler.limits.headers.declared import AttemptReport, Declared, Observation
from crawler.limits.pace import Pace
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.settings import Settings

START = 1_700_000_000.0


def throttle(**fields: object) -> Throttle:
    return Throttle("https://a.test", Settings().pace("a.test"), random.Random(1)) if not fields else Throttle(
        "https://a.test", Pace(**fields).over(Settings().pace("a.test")), random.Random(1)  # type: ignore[arg-type]
    )  # fmt: skip


def ask(made: Throttle, now: float, *, status: int = 200, declared: Declared = Declared(), cost: float = 1.0) -> float:  # noqa: B008 - frozen
    """One request as soon as it may start after `now`; when it did."""
    at = max(now, made.ready_at(now, cost=cost))
    grant = made.take(at, cost=cost)
    refused = status in (429, 503)
    exchange = AttemptReport(
        sent=at, received=at + 0.1, first_byte=0.1, status=status, refused=refused, declared=declared
    )
    made.settle(grant, exchange, inflight=1)
    return at


def test_a_delay_lies_between_two_starts_and_a_rate_counts_what_a_request_costs() -> None:
    made = throttle(delay=2.0)
    assert [ask(made, START) - START for _ in range(3)] == [0, 2, 4]
    made = throttle(rate="60/min")
    assert [ask(made, START, cost=3.0) - START for _ in range(3)] == [0, 3, 6]
    assert made.blocked_by == "pace"


def test_a_delay_counts_from_the_moment_at_which_the_request_went_out() -> None:
    made = throttle(delay=2.0)
    first = made.take(START)
    made.went_out(first, START + 0.5)
    assert made.ready_at(START + 1.0) == START + 2.5
    made.take(START + 2.5)
    made.went_out(first, START + 9.0)  # sent again, by whoever; the next start has been counted
    assert made.ready_at(START + 3.0) == START + 4.5


def test_what_was_never_sent_is_given_back() -> None:
    made = throttle(delay=10.0, rate="6/min")
    made.give_back(made.take(START))
    assert made.ready_at(START) <= START
    assert made.governor.inflight == 0


def test_what_robots_txt_asks_for_counts_if_it_is_more_and_fewer_go_at_once() -> None:
    made = throttle(delay=1.0)
    made.ask_for_delay(0.5)
    assert made.interval() == 1.0
    made.ask_for_delay(3.0)
    assert made.interval() == 3.0
    assert made.concurrency.cap == 2
    assert made.is_paced()


def test_refused_requests_are_a_tenth_of_the_served_and_one_in_ten_seconds() -> None:
    made = throttle()
    now, refused, asked = START, 0, 0
    chance = random.Random(5)
    while now < START + 20_000:
        status = 503 if chance.random() < 0.6 else 200
        now = ask(made, now, status=status) + 0.1
        asked += 1
        refused += status == 503
    assert 10 < refused <= 20 + 0.1 * (asked - refused) + 20_000 / 10 + 1


def test_a_scope_that_refuses_everything_stalls_after_a_while_and_is_asked_again_later() -> None:
    made = throttle()
    now = START
    while not made.is_stalled(now):
        now = ask(made, now, status=503) + 0.1
        assert now < START + 1500
    assert now >= START + 900
    assert made.is_stalled(now + 899)
    assert not made.is_stalled(now + 901)
    ask(made, now + 901)
    assert not made.is_stalled(now + 902)


def test_waits_that_the_server_names_are_no_stall() -> None:
    made = throttle()
    now = START
    for _ in range(10):
        now = ask(made, now, status=429, declared=Declared(retry_after=600.0)) + 0.1
    assert now > START + 5000
    assert not made.is_stalled(now)


def test_a_server_that_names_how_many_at_once_gets_no_more() -> None:
    made = throttle(concurrency=8, slow_start=False)
    assert made.concurrency.limit == 8
    ask(made, START, declared=Declared(concurrency=3))
    assert made.concurrency.limit == 3


def test_what_was_learned_outlives_it_as_json_and_fits_a_crawl_that_broke_off() -> None:
    made = throttle(delay=1.0, rate="60/min")
    word = Observation(policy="daily", limit=100, remaining=40, reset=(START + 500, START + 501), window=1000.0)
    ask(made, START, declared=Declared(observations=(word,)))
    state = msgspec.json.decode(msgspec.json.encode(made.state()))
    assert len(msgspec.json.encode(state)) < 2000
    again = throttle(delay=1.0, rate="60/min")
    again.restore(state)
    assert again.policies()["daily"]["remaining"] == 40
    assert START + 1 <= again.ready_at(START + 0.2) <= made.ready_at(START + 0.2)
    again.resume(START + 10)
    assert again.ready_at(START + 10) >= START + 11
    assert "remaining" not in again.policies()["daily"]


def test_a_scope_of_which_nothing_is_known_has_no_state() -> None:
    assert throttle().state() == {}


@pytest.mark.parametrize(
    "state",
    [
        {"next_start": "soon", "rates": 5, "governor": [], "concurrency": "x", "dialect": 7},
        {"next_start": math.nan, "rates": [None], "governor": {"quotas": {"a": 5}}, "dialect": {"verdicts": [1]}},
    ],
)
def test_a_state_that_cannot_be_read_is_ignored(state: dict[str, object]) -> None:
    made = throttle(rate="1/s")
    made.restore(state)
    assert made.ready_at(START) <= START


def test_owners_that_share_a_scope_are_told_when_it_is_blocked() -> None:
    made, told = throttle(), []
    made.watchers = (lambda: told.append(1),)
    made.block(START + 5)
    assert told == [1]


def test_limits_make_each_scope_once_and_their_own_pace_goes_first() -> None:
    limits = Limits({"key:*": Pace(rate="1/s"), "https://a.test": Pace(delay=3.0)})
    settings = Settings(delay=1.0, per_host=4)
    key = limits.throttle("key:A", settings.pace)
    assert limits.throttle("key:A", settings.pace) is key
    assert key.pace.rate == ("1/s",)
    assert key.pace.delay == 1.0
    assert limits.throttle("https://a.test", settings.pace).pace.delay == 3.0
    assert limits.throttle("https://b.test", settings.pace).pace.concurrency == 4
    limits.forget("key:A")
    assert limits.throttle("key:A", settings.pace) is not key


def test_limits_know_what_they_knew() -> None:
    first = Limits()
    made = first.throttle("https://a.test", Settings().pace)
    ask(made, START, status=429, declared=Declared(retry_after=300.0))
    first.throttle("https://quiet.test", Settings().pace)
    state = msgspec.json.decode(msgspec.json.encode(first.state()))
    assert list(state) == ["https://a.test"]
    second = Limits()
    second.restore(state | {"https://odd.test": 5})
    assert second.throttle("https://a.test", Settings().pace).ready_at(START + 1) >= START + 300
    assert Limits().state() == {}
