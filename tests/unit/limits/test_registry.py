"""`Limits`: throttles by name, shared by all users of the same `Limits`."""

from __future__ import annotations

import random

import msgspec

from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.settings import Settings

START = 1_700_000_000.0
HOST = "https://a.test"


def refused(throttle: Throttle, *, wait: int) -> None:
    """Let one request be refused with a ``Retry-After`` in seconds."""
    permit = Permit(throttle)
    permit.take(START)
    permit.sent(START)
    permit.answered(START + 0.1, status=429, headers=[("Retry-After", str(wait))])


def test_a_throttle_is_created_once_and_its_own_pace_takes_precedence() -> None:
    limits = Limits({"key:*": Pace(rate="1/s"), HOST: Pace(delay=3.0)})
    settings = Settings(delay=1.0, per_host=4)
    key = limits.throttle("key:A", settings.pace)
    assert limits.throttle("key:A", settings.pace) is key
    assert key.pacing.pace.rate == ("1/s",)
    assert key.pacing.pace.delay == 1.0
    assert limits.throttle(HOST, settings.pace).pacing.pace.delay == 3.0
    assert limits.throttle("https://b.test", settings.pace).pacing.pace.concurrency == 4


def test_a_throttle_that_was_forgotten_is_created_again() -> None:
    limits = Limits()
    key = limits.throttle("key:A", Settings().pace)
    limits.forget("key:A")
    limits.forget("key:B")
    assert limits.throttle("key:A", Settings().pace) is not key


def test_the_random_source_is_shared_by_all_throttles() -> None:
    limits = Limits(chance=random.Random(1))
    first, second = (limits.throttle(name, Settings().pace) for name in ("a", "b"))
    assert first.rng is second.rng


def test_a_saved_state_is_restored_when_its_throttle_is_first_used() -> None:
    first = Limits()
    refused(first.throttle(HOST, Settings().pace), wait=300)
    first.throttle("https://quiet.test", Settings().pace)
    state = msgspec.json.decode(msgspec.json.encode(first.state()))
    assert list(state) == [HOST]
    second = Limits()
    second.restore(state | {"https://odd.test": 5})
    assert second.state() == state  # unused states are kept unchanged
    assert second.throttle(HOST, Settings().pace).ready_at(START + 1) >= START + 300
    assert Limits().state() == {}


def test_a_saved_state_is_restored_at_once_if_its_throttle_is_in_use() -> None:
    first, second = Limits(), Limits()
    refused(first.throttle(HOST, Settings().pace), wait=300)
    used = second.throttle(HOST, Settings().pace)
    second.restore(first.state())
    assert used.ready_at(START + 1) >= START + 300


def test_after_an_interrupted_run_each_throttle_waits_for_one_delay() -> None:
    limits = Limits()
    used = limits.throttle("https://used.test", Settings(delay=5.0).pace)
    limits.restore({HOST: {"interval": 5.0}})
    limits.resume(START)
    assert used.ready_at(START) == START + 5
    assert limits.throttle(HOST, Settings(delay=5.0).pace).ready_at(START) == START + 5
    assert limits.throttle("https://new.test", Settings(delay=5.0).pace).ready_at(START) <= START


def test_a_second_owner_keeps_the_stricter_values_of_both() -> None:
    limits = Limits()
    first = limits.throttle(HOST, Settings(delay=1.0, per_host=8, pacing={HOST: Pace(rate="60/min")}).pace)
    called = []
    first.watchers += (lambda: called.append(True),)
    second = limits.throttle(HOST, Settings(delay=0.5, per_host=2, pacing={HOST: Pace(rate="10/min")}).pace)
    assert second is first
    pace = first.pacing.pace
    assert (pace.delay, pace.concurrency, pace.rate) == (1.0, 2, ("60/min", "10/min"))
    assert (first.concurrency.cap, len(first.pacing.rates), called) == (2, 2, [True])
    limits.throttle(HOST, Settings(delay=3.0, per_host=4).pace)
    assert (first.pacing.pace.delay, first.pacing.delay, first.concurrency.cap) == (3.0, 3.0, 2)


def test_the_delay_of_a_robots_txt_stays_when_a_second_owner_comes() -> None:
    limits = Limits()
    first = limits.throttle(HOST, Settings(delay=1.0).pace)
    first.pacing.set_robots_delay(10.0)
    limits.throttle(HOST, Settings(delay=2.0).pace)
    assert first.pacing.delay == 10.0
