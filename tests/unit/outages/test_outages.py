"""What a failed connection means: an attempt, a wait, or the end of patience; times are arguments."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from crawler.errors import ConnectFailed
from crawler.messages import Request
from crawler.outages.failed_attempt import Contact, FailedAttempt, Outage
from crawler.outages.outages import (
    ABSENT,
    ANSWERING,
    GIVEN_UP,
    MAX_SCOPES,
    NEW,
    OPEN_AFTER,
    OPEN_AT_ONCE,
    OPEN_SECONDS,
    PAGE,
    PUT_OFF,
    Outages,
)

A, B, C, D = (f"https://{name}.test" for name in "abcd")
PROXY = "proxy.test:3128"


def outages(patience: float | None = 600.0) -> Outages:
    return Outages(patience, random.Random(1))


def fail(made: Outages, scope: str, now: float, contact: Contact = "refused", **more: Any) -> Outage | None:
    """Let a request fail that started just now."""
    values: dict[str, Any] = {"url": f"{scope}/", "ticket": object(), "started": now, "is_known": True} | more
    return made.failed(FailedAttempt(scope=scope, contact=contact, error=ConnectFailed("no"), **values), now)


def fail_for(made: Outages, scope: str, start: float, seconds: float, **more: Any) -> tuple[float, Outage | None]:
    """Probe a scope whenever it may be probed. Return when it was given up or counted as an attempt, and the result."""
    now = start
    while True:
        probe = object()
        made.start(probe, Request(scope))
        found = fail(made, scope, now, ticket=probe, **more)
        if found is None or found.gives_up or now - start > seconds:
            return now, found
        now += max(found.wait, 0.1)


def ready_at(made: Outages, scope: str, now: float) -> float:
    return made.ready_at(Request(f"{scope}/"), now)


def refused(made: Outages, scope: str, now: float) -> bool:
    """Whether a host was given up."""
    return made.refusal(Request(f"{scope}/"), now) is not None


def answer(made: Outages, scope: str, now: float = 0.0) -> None:
    made.answered((scope,), now)


# ---- a host that has answered before ---------------------------------------------------------------------------------


def test_a_crawl_without_failures_has_no_breakers() -> None:
    made = outages()
    assert not made.active
    assert ready_at(made, A, 0.0) == made.network_ready_at() == -math.inf


def test_failed_connections_cost_no_attempts_and_open_the_breaker() -> None:
    made = outages()
    for number in range(OPEN_AT_ONCE):
        found = fail(made, A, 100.0)
        assert found is not None
        assert found.is_open == (number == OPEN_AT_ONCE - 1)
    assert found is not None
    assert ready_at(made, A, 100.0) == 100.0 + found.wait
    assert ready_at(made, B, 100.0) == -math.inf


def test_a_few_failures_within_a_second_may_be_random() -> None:
    made = outages()
    for number in range(OPEN_AFTER):
        found = fail(made, A, 100.0 + number * OPEN_SECONDS / 2)
    assert found is not None
    assert found.is_open
    made = outages()
    for number in range(100):
        for _ in range(OPEN_AFTER):
            found = fail(made, A, number / 10)
        assert found is not None
        assert not found.is_open
        answer(made, A)


def test_an_open_breaker_sends_one_probe_and_closes_at_the_first_response() -> None:
    made = outages()
    for _ in range(OPEN_AT_ONCE):
        fail(made, A, 100.0)
    probe = object()
    made.start(probe, Request(A))
    assert ready_at(made, A, 200.0) == math.inf
    assert made.answered((A,), 200.0)
    assert ready_at(made, A, 200.0) == -math.inf
    assert not made.active


def test_a_probe_that_ends_without_a_result_is_followed_by_another() -> None:
    made, probe = outages(), object()
    for _ in range(OPEN_AT_ONCE):
        fail(made, A, 100.0)
    made.start(probe, Request(A))
    assert made.end(probe)
    assert not made.end(probe)
    assert ready_at(made, A, 200.0) < 200.0


def test_failures_in_flight_together_do_not_lengthen_the_rest() -> None:
    made = outages()
    first = [fail(made, A, 100.0, started=99.0) for _ in range(20)][-1]
    assert first is not None
    assert first.wait <= 1.0


def test_patience_ends_and_all_requests_fail_for_a_while() -> None:
    made = outages(patience=50.0)
    at, found = fail_for(made, A, 100.0, 100.0)
    assert found is not None
    assert found.gives_up
    assert 150.0 <= at <= 155.0
    assert found.down_for >= 50.0
    assert refused(made, A, at + 1.0)
    assert not refused(made, B, at + 1.0)
    assert not refused(made, A, at + GIVEN_UP + 1.0)
    again = fail(made, A, at + GIVEN_UP + 1.0)
    assert again is not None
    assert again.gives_up


def test_without_an_end_of_patience_a_host_is_waited_for() -> None:
    _, found = fail_for(outages(patience=None), A, 0.0, 1e6)
    assert found is not None
    assert not found.gives_up


def test_patience_of_zero_makes_each_failure_an_attempt() -> None:
    made = outages(patience=0.0)
    assert [fail(made, scope, 0.0) for scope in (A, A, A, A, B, C, D)] == [None] * 7
    assert not made.active


@pytest.mark.parametrize("contact", ["none", "refused", "lookup", "name", "local"])
def test_a_host_that_has_answered_is_not_believed_to_be_gone(contact: Contact) -> None:
    at, found = fail_for(outages(), A, 0.0, 1000.0, contact=contact)
    assert found is not None
    assert found.gives_up
    assert at >= 600.0


# ---- requests that were sent -----------------------------------------------------------------------------------------


def test_different_requests_without_response_open_the_breaker() -> None:
    made = outages()
    found = [fail(made, A, 100.0, "sent", url=f"{A}/{number}") for number in range(OPEN_AT_ONCE)]
    assert found[:-1] == [None] * (OPEN_AT_ONCE - 1)
    assert found[-1] is not None
    assert found[-1].is_open


def test_different_errors_of_a_gateway_open_the_breaker_but_the_network_is_well() -> None:
    made = outages()
    for now in range(4):
        fail(made, A, float(now), "refused", url=f"{A}/{now}")
        found = fail(made, B, float(now), "gateway", url=f"{B}/{now}")
    assert found is not None
    assert found.is_open
    assert made.network.breaker is None
    answer(made, B)
    assert ready_at(made, B, 4.0) == -math.inf


def test_different_errors_of_a_host_open_the_breaker_for_a_while() -> None:
    made, now, results = outages(), 100.0, []
    while now < 100.0 + 2 * PAGE:
        found = fail(made, A, now, "error", url=f"{A}/{now}")
        results.append((now, found))
        now += 0.5 if found is None else found.wait
    assert [found for _, found in results[:OPEN_AFTER]][:2] == [None, None]
    held = [at for at, found in results if found is not None]
    assert held[0] == 101.0
    assert 100.0 + PAGE / 2 < held[-1] < 100.0 + PAGE
    assert ready_at(made, A, now) == -math.inf


def test_pages_that_have_failed_before_show_no_outage() -> None:
    made = outages()
    found = [fail(made, A, 100.0 + n, "error", url=f"{A}/{n}", failed_before=99.0) for n in range(30)]
    assert found == [None] * 30
    assert ready_at(made, A, 130.0) == -math.inf


def test_a_failure_while_its_host_was_down_is_not_that_of_the_page() -> None:
    """A host that flaps would cost the page an attempt at every failure."""
    made = outages()
    for n in range(3):
        fail(made, A, 100.0 + n, "gateway", url=f"{A}/{n}")
    answer(made, A, 110.0)
    assert fail(made, A, 120.0, "gateway", url=f"{A}/0", failed_before=100.0) is not None
    assert 120.0 < ready_at(made, A, 120.0) < 120.0 + PAGE
    answer(made, A, 130.0)
    assert fail(made, A, 140.0, "gateway", url=f"{A}/0", failed_before=135.0) is None


def test_a_page_that_is_the_second_in_a_row_for_which_a_gateway_answers_is_sent_again_after_five_seconds() -> None:
    """Else it would use up its attempts before the third failure, or the first second, shows an outage."""
    made = outages()
    assert fail(made, A, 100.0, "gateway", url=f"{A}/1") is None
    assert fail(made, A, 100.5, "gateway", url=f"{A}/2") == Outage(5.0, is_open=False, counts=True)
    answer(made, A, 101.0)
    for contact in ("sent", "error"):
        assert [fail(made, A, 102.0 + n, contact, url=f"{A}/{n}") for n in range(2)] == [None, None]
        answer(made, A, 104.0)


@pytest.mark.parametrize("contact", ["sent", "gateway", "error"])
def test_a_page_that_is_alone_is_held_while_its_host_answers_nothing(contact: Contact) -> None:
    made = outages()
    alone: dict[str, Any] = {"contact": contact, "may_be_alone": True}
    assert fail(made, A, 100.0, **alone) is None
    end, found = fail_for(made, A, 101.0, 200.0, failed_before=100.0, **alone)
    assert found is None
    assert PAGE < end - 100.0 < 1.5 * PAGE
    answer(made, A)
    for now in (300.0, 301.0):  # the host has answered since its first attempt, so the page is broken
        assert fail(made, A, now, failed_before=100.0, **alone) is None


def test_each_wait_that_was_in_vain_halves_the_next_one_until_the_host_recovers() -> None:
    made, now, held = outages(), 100.0, []
    alone: dict[str, Any] = {"contact": "error", "may_be_alone": True}

    def hold(start: float) -> float:
        fail(made, A, start, **alone)
        return fail_for(made, A, start + 1.0, 200.0, failed_before=start, **alone)[0]

    for _ in range(4):
        end = hold(now)
        held.append(end - now)
        answer(made, A)
        now = end + 100.0
    assert held[0] >= PAGE
    for before, after in itertools.pairwise(held):
        assert after < 0.85 * before
    assert held[3] < PAGE / 3
    fail(made, A, now, **alone)
    fail(made, A, now + 1.0, failed_before=now, **alone)
    answer(made, A)
    assert hold(now + 100.0) - now - 100.0 >= PAGE


def test_one_page_without_response_uses_up_its_attempts() -> None:
    made = outages()
    assert [fail(made, A, 100.0, "sent") for _ in range(10)] == [None] * 10
    assert ready_at(made, A, 100.0) == -math.inf


def test_a_response_between_them_shows_that_the_host_is_well() -> None:
    made = outages()
    for number in range(50):
        assert fail(made, A, 100.0, "sent", url=f"{A}/{number}") is None
        answer(made, A)


def test_after_the_patience_requests_without_response_are_attempts_again() -> None:
    made, now = outages(patience=50.0), 0.0
    for number in range(100):
        found = fail(made, A, now, "sent", url=f"{A}/{number}")
        if now > 60.0:
            assert found is None
            assert not refused(made, A, now)
        now += 2.0
    assert ready_at(made, A, now) == -math.inf


# ---- a host that has never answered ----------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["none", "lookup", "local", "refused", "sent"])
def test_a_new_host_is_tried_with_growing_pauses_while_the_crawl_has_other_work(contact: Contact) -> None:
    made, tries, now = outages(), 0, 0.0
    made.alone_since = math.inf
    answer(made, B)
    while now < 7200.0:
        found = fail(made, A, now, contact, is_known=False, blocks_host=contact == "sent")
        assert found is not None
        assert not found.gives_up
        tries += 1
        now = max(ready_at(made, A, now), now + 0.1)
    assert 20 <= tries <= 40


@pytest.mark.parametrize(
    ("scope", "contact", "is_proxy", "seconds"),
    [
        (A, "none", False, NEW),
        (A, "name", False, ABSENT),
        ("http://127.0.0.1:9", "none", False, ABSENT),
        (A, "none", True, ABSENT),
    ],
)
def test_a_new_host_is_given_up_when_nothing_else_is_left(
    scope: str, contact: Contact, seconds: float, *, is_proxy: bool
) -> None:
    made = outages()
    at, found = fail_for(made, scope, 0.0, 200.0, contact=contact, is_known=False, is_proxy=is_proxy)
    assert found is not None
    assert found.gives_up
    assert seconds <= at <= seconds + 1.0
    assert refused(made, A, at + 1.0) == (scope == A)


def test_a_robots_txt_that_gets_no_response_counts_as_an_attempt_when_nothing_else_is_left() -> None:
    made = outages()
    at, found = fail_for(made, A, 0.0, 200.0, contact="sent", is_known=False, blocks_host=True)
    assert found is None
    assert ANSWERING <= at <= ANSWERING + 1.0
    assert not refused(made, A, at + 1.0)


def test_when_nothing_else_is_left_each_new_host_is_tried_once_more_and_all_end_together() -> None:
    made = outages()
    made.alone_since = math.inf
    for now in (0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0):
        for scope in (A, B):
            fail(made, scope, now, is_known=False)
    assert not made.see_work(64.0, waits=True, is_open=False)
    assert ready_at(made, A, 64.0) > 90.0
    assert made.see_work(65.0, waits=False, is_open=False)
    assert ready_at(made, A, 65.0) == ready_at(made, B, 65.0) == 63.0
    found = fail(made, A, 65.5, is_known=False)
    assert found is not None
    assert found.gives_up
    made.see_work(65.0 + NEW + 4.0, waits=False, is_open=False)
    assert not refused(made, B, 65.0 + NEW + 4.0)
    made.see_work(65.0 + NEW + 5.0, waits=False, is_open=False)
    assert refused(made, B, 65.0 + NEW + 5.0)


def test_open_pages_and_start_count_as_other_work_for_a_minute() -> None:
    made = outages()
    made.alone_since = math.inf
    fail(made, A, 0.0, is_known=False)
    assert not made.see_work(1.0, waits=True, is_open=True)
    assert not made.see_work(60.0, waits=False, is_open=True)
    assert made.see_work(61.0, waits=False, is_open=True)
    answer(made, B, 70.0)
    assert not made.see_work(71.0, waits=False, is_open=True)
    assert made.see_work(72.0, waits=False, is_open=False)


def test_a_handler_that_waits_in_place_is_refused_while_a_new_host_rests_that_was_down_for_half_a_minute() -> None:
    made = outages()
    made.alone_since = math.inf
    for now in (0.0, 1.0, 3.0, 7.0, 15.0):
        fail(made, A, now, is_known=False)
    assert made.refusal(Request(f"{A}/"), 15.1, in_place=True) is None
    fail(made, A, 31.0, is_known=False)
    assert made.refusal(Request(f"{A}/"), 31.1) is None
    assert made.refusal(Request(f"{A}/"), 31.1, in_place=True) is not None
    assert made.refusal(Request(f"{A}/"), ready_at(made, A, 31.1), in_place=True) is None, "it is the probe"


def test_a_name_that_does_not_exist_is_tried_less_often_while_the_crawl_has_other_work() -> None:
    made, now, tries = outages(), 0.0, 0
    made.alone_since = math.inf
    answer(made, B)
    while now < 1800.0:
        found = fail(made, A, now, "name", is_known=False, started=now)
        assert found is not None
        assert not found.gives_up
        tries += 1
        now = ready_at(made, A, now) + 0.1
    assert 5 <= tries <= 9


def test_failures_in_flight_together_are_one_try() -> None:
    made = outages()
    for _ in range(10):
        found = fail(made, A, 10.0, "name", is_known=False, started=0.0)
        assert found is not None
        assert not found.gives_up


def test_without_a_route_the_network_is_down_before_anything_has_answered() -> None:
    made = outages()
    fail(made, A, 0.0, "local", is_known=False)
    fail(made, A, 3.0, "local", is_known=False)
    assert made.network.breaker is not None
    made = outages()
    answer(made, B)
    fail_for(made, A, 0.0, 100.0, contact="local", is_known=False)
    assert made.network.breaker is None, "others can be reached, so this host has no address that we can use"


def test_requests_to_a_new_host_whose_gateway_answers_become_attempts() -> None:
    made, now, found = outages(), 0.0, None
    for number in range(200):
        # it has answered, but only with errors of its gateway
        found = fail(made, A, now, "gateway", url=f"{A}/{number}", is_known=number > 0)
        if found is None and number > 3:
            break
        now += max(0.5, 0.0 if found is None else found.wait)
    assert ANSWERING <= now <= ANSWERING + 60.0
    assert not refused(made, A, now), "its pages may be to blame"


@pytest.mark.parametrize(
    ("contact", "known", "patience"), [("gateway", False, ANSWERING), ("gateway", True, 600.0), ("sent", True, 600.0)]
)
def test_a_request_for_which_all_others_wait_is_tried_for_long(known: bool, patience: float, contact: Contact) -> None:
    made, now = outages(), 0.0
    while True:
        found = fail(made, A, now, contact, is_known=known or now > 0.0, blocks_host=True)
        if found is None:
            break
        assert found.is_open
        now += found.wait
    assert patience <= now <= patience + 60.0


# ---- proxies, lanes of several hosts ---------------------------------------------------------------------------------


def test_a_proxy_that_has_never_worked_is_given_up_and_one_that_has_is_waited_for() -> None:
    made = outages()
    for now in range(20):
        found = fail(made, PROXY, float(now), is_known=False, is_proxy=True)
    assert found is not None
    assert found.gives_up, "nothing has ever answered through it"
    made = outages()
    answer(made, A)
    for now in range(20):
        found = fail(made, PROXY, float(now), is_known=False, is_proxy=True)
    assert found is not None
    assert not found.gives_up
    assert PROXY in made.statistics()


def test_a_request_waits_for_its_host_and_its_proxy() -> None:
    made = outages()
    made.route = lambda request: PROXY if "a.test" in request.url else ""
    for _ in range(OPEN_AT_ONCE):
        fail(made, PROXY, 0.0)
    assert made.scopes(Request(f"{A}/x")) == (A, PROXY)
    assert ready_at(made, A, 0.0) > 0.0
    assert ready_at(made, B, 0.0) == -math.inf


def test_a_request_that_names_its_lane_is_put_off_alone() -> None:
    made, request = outages(), Request(f"{A}/x", lane="shared")
    for _ in range(OPEN_AT_ONCE):
        fail(made, A, 0.0)
    assert made.ready_at(request, 0.0) == -math.inf
    assert 0.0 < made.put_off_until(request, 0.0) <= 1.0
    made.start(object(), Request(A))
    assert made.put_off_until(request, 5.0) == 5.0 + PUT_OFF
    assert made.put_off_until(Request(f"{A}/x"), 5.0) == -math.inf


def test_the_error_of_a_host_that_was_given_up_says_why() -> None:
    made = outages(patience=10.0)
    for now in (0.0, 12.0):
        for _ in range(OPEN_AT_ONCE):
            fail(made, A, now)
    error = made.refusal(Request(f"{A}/x"), 12.0)
    assert error is not None
    assert str(error) == "no (unreachable for 12 s, given up)"
    assert (error.full_reason, error.retryable) == ("connect_failed", False)
    assert made.refusal(Request(f"{B}/x"), 12.0) is None


def test_the_number_of_breakers_is_limited() -> None:
    made = outages()
    for number in range(MAX_SCOPES + 10):
        fail(made, f"https://h{number}.test", 0.0, is_known=False)
    assert len(made._breakers) == MAX_SCOPES
