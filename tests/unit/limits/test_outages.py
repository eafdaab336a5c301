"""What a failed connection means: an attempt, a wait, or the end of patience; times are arguments."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from crawler.errors import ConnectFailed
from crawler.limits.doubts import DOUBT, LOCAL_DOUBT, LOOKUP_DOUBT, NEW_DOUBT, PAGE_DOUBT
from crawler.limits.outages import (
    CHECK_REST,
    GIVEN_UP,
    MAX_SCOPES,
    NETWORK_PROBE,
    OPEN_AFTER,
    OPEN_AT_ONCE,
    OPEN_SECONDS,
    Outages,
)
from crawler.limits.silence import SILENCE
from crawler.limits.trouble import Contact, Outage, Trouble

A, B, C, D = (f"https://{name}.test" for name in "abcd")
PROXY = "proxy.test:3128"


def outages(patience: float | None = 600.0, attempts: int = 3) -> Outages:
    return Outages(patience, attempts, random.Random(1))


def fail(made: Outages, scope: str, now: float, contact: Contact = "none", **more: Any) -> Outage | None:
    """Let a request fail that started just now."""
    values: dict[str, Any] = {"url": f"{scope}/", "request": object(), "started": now, "is_known": True} | more
    return made.failed(Trouble(scope=scope, contact=contact, error=ConnectFailed("no"), **values), now)


def fail_for(made: Outages, scope: str, start: float, seconds: float, **more: Any) -> tuple[float, Outage | None]:
    """Probe a scope whenever it may be probed. Return when it was given up or counted as an attempt, and the result."""
    now = start
    while True:
        found = fail(made, scope, now, **more)
        if found is None or found.gives_up or now - start > seconds:
            return now, found
        now += max(found.wait, 0.1)


# ---- a host that has answered before ---------------------------------------------------------------------------------


def test_a_crawl_without_failures_has_no_breakers() -> None:
    made = outages()
    assert not made.active
    assert made.ready_at([A], 0.0) == made.network_ready_at() == -math.inf


def test_failed_connections_cost_no_attempts_and_open_the_breaker() -> None:
    made = outages()
    for number in range(OPEN_AT_ONCE):
        found = fail(made, A, 100.0)
        assert found is not None
        assert (found.is_open, found.counts) == (number == OPEN_AT_ONCE - 1, False)
    assert found is not None
    assert made.ready_at([A], 100.0) == 100.0 + found.wait
    assert made.ready_at([B], 100.0) == -math.inf


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
        made.answered([A], is_known=True)


def test_an_open_breaker_sends_one_probe_and_closes_at_the_first_response() -> None:
    made = outages()
    for _ in range(OPEN_AT_ONCE):
        fail(made, A, 100.0)
    probe = object()
    made.start([A], probe)
    assert made.ready_at([A], 200.0) == math.inf
    assert set(made.answered([A], is_known=True)) == {A}
    assert made.ready_at([A], 200.0) == -math.inf
    assert not made.active


def test_a_probe_that_ends_without_a_result_is_followed_by_another() -> None:
    made, probe = outages(), object()
    for _ in range(OPEN_AT_ONCE):
        fail(made, A, 100.0)
    made.start([A], probe)
    assert made.end(probe)
    assert not made.end(probe)
    assert made.ready_at([A], 200.0) < 200.0


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
    breaker = made.given_up([B, A], at + 1.0)
    assert breaker is not None
    assert str(breaker.error) == "no"
    assert made.given_up([B], at + 1.0) is None
    assert made.given_up([A], at + GIVEN_UP + 1.0) is None
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


@pytest.mark.parametrize("contact", ["none", "lookup", "name", "local"])
def test_a_host_that_has_answered_is_not_believed_to_be_gone(contact: Contact) -> None:
    at, found = fail_for(outages(), A, 0.0, 1000.0, contact=contact)
    assert found is not None
    assert found.gives_up
    assert at >= 600.0


# ---- requests that were sent -----------------------------------------------------------------------------------------


def test_different_requests_without_response_open_the_breaker() -> None:
    made = outages()
    found = [fail(made, A, 100.0, "sent", url=f"{A}/{number}") for number in range(OPEN_AT_ONCE)]
    assert found[0] is None
    assert found[1] is not None
    assert found[1].counts
    assert found[-1] is not None
    assert (found[-1].is_open, found[-1].counts) == (True, False)


def test_different_errors_of_a_gateway_open_the_breaker_but_the_network_is_well() -> None:
    made = outages()
    for now in range(4):
        fail(made, A, float(now), "none", url=f"{A}/{now}")
        found = fail(made, B, float(now), "gateway", url=f"{B}/{now}")
    assert found is not None
    assert (found.is_open, found.counts) == (True, False)
    assert made.network is None
    made.answered([B], is_known=True)
    assert made.ready_at([B], 4.0) == -math.inf


def test_different_errors_of_a_host_open_the_breaker_for_a_while() -> None:
    made, now, results = outages(), 100.0, []
    while now < 100.0 + 2 * PAGE_DOUBT:
        found = fail(made, A, now, "error", url=f"{A}/{now}")
        results.append((now, found))
        now += 0.5 if found is None else found.wait
    assert [found for _, found in results[:OPEN_AFTER]][:2] == [None, None]
    held = [at for at, found in results if found is not None]
    assert held[0] == 101.0
    assert 100.0 + PAGE_DOUBT / 2 < held[-1] < 100.0 + PAGE_DOUBT
    assert made.ready_at([A], now) == -math.inf


def test_pages_that_have_failed_before_show_no_outage() -> None:
    made = outages()
    found = [fail(made, A, 100.0 + n, "error", url=f"{A}/{n}", is_repeated=True) for n in range(30)]
    assert found == [None] * 30
    assert made.ready_at([A], 130.0) == -math.inf


@pytest.mark.parametrize("contact", ["sent", "gateway", "error"])
def test_a_page_that_is_alone_is_held_while_its_host_answers_nothing(contact: Contact) -> None:
    made = outages()
    assert fail(made, A, 100.0, contact, is_found=True) is None
    end, found = fail_for(made, A, 101.0, 200.0, contact=contact, is_found=True, is_repeated=True)
    assert found is None
    assert PAGE_DOUBT < end - 100.0 < 1.5 * PAGE_DOUBT
    made.answered([A], is_known=True)
    for now in (300.0, 301.0):  # the host has answered since its first attempt, so the page is broken
        found = fail(made, A, now, contact, is_found=True, is_repeated=True)
        assert found is None or found.counts


def test_each_wait_that_was_in_vain_halves_the_next_one_until_the_host_recovers() -> None:
    made, now, held = outages(), 100.0, []

    def hold(start: float, page: int) -> float:
        alone: dict[str, Any] = {"contact": "error", "url": f"{A}/{page}", "is_found": True}
        fail(made, A, start, **alone)
        return fail_for(made, A, start + 1.0, 200.0, is_repeated=True, **alone)[0]

    for page in range(4):
        end = hold(now, page)
        held.append(end - now)
        made.answered([A], is_known=True)
        now = end + 100.0
    assert held[0] >= PAGE_DOUBT
    for before, after in itertools.pairwise(held):
        assert after < 0.85 * before
    assert held[3] < PAGE_DOUBT / 3
    fail(made, A, now, "error", url=f"{A}/4", is_found=True)
    fail(made, A, now + 1.0, "error", url=f"{A}/4", is_found=True, is_repeated=True)
    made.answered([A], is_known=True)
    assert hold(now + 100.0, 5) - now - 100.0 >= PAGE_DOUBT


def test_one_page_without_response_uses_up_its_attempts() -> None:
    made = outages()
    found = [fail(made, A, 100.0, "sent") for _ in range(10)]
    assert all(one is None or one.counts for one in found)
    assert made.ready_at([A], 100.0) == -math.inf


def test_requests_that_often_fail_at_random_are_not_put_off_for_a_few_failures() -> None:
    made = outages()
    found = [fail(made, A, 100.0 + number, "sent", url=f"{A}/{number}", failed_share=0.3) for number in range(4)]
    assert found[:3] == [None, None, None]
    assert found[3] is not None
    assert found[3].is_open


def test_a_response_between_them_shows_that_the_host_is_well() -> None:
    made = outages()
    for number in range(50):
        assert fail(made, A, 100.0, "sent", url=f"{A}/{number}") is None
        made.answered([A], is_known=True)


def test_after_the_patience_requests_without_response_are_attempts_again() -> None:
    made, now = outages(patience=50.0), 0.0
    for number in range(100):
        found = fail(made, A, now, "sent", url=f"{A}/{number}")
        if now > 60.0:
            assert found is None
            assert made.given_up([A], now) is None
        now += 2.0
    assert made.ready_at([A], now) == -math.inf


# ---- a host that has never answered ----------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["none", "name"])
def test_a_new_host_is_given_up_after_seconds(contact: Contact) -> None:
    made = outages()
    made.answered([B], is_known=False)
    at, found = fail_for(made, A, 0.0, 100.0, contact=contact, is_known=False)
    assert found is not None
    assert found.gives_up
    assert at == NEW_DOUBT
    assert made.given_up([A], at + 1.0) is not None


@pytest.mark.parametrize(
    ("scope", "contact", "is_proxy", "seconds"),
    [
        (A, "none", False, LOOKUP_DOUBT),
        (A, "name", False, NEW_DOUBT),
        ("http://127.0.0.1:9", "none", False, NEW_DOUBT),
        (A, "none", True, NEW_DOUBT),
    ],
)
def test_a_host_with_an_address_has_more_time_while_none_has_ever_answered(
    scope: str, contact: Contact, seconds: float, *, is_proxy: bool
) -> None:
    at, found = fail_for(outages(), scope, 0.0, 100.0, contact=contact, is_known=False, is_proxy=is_proxy)
    assert found is not None
    assert found.gives_up
    assert at == seconds


def test_a_new_host_that_takes_long_to_fail_is_tried_as_often_as_a_request() -> None:
    made = outages()
    results = [fail(made, A, 20.0 * number, is_known=False) for number in range(1, 4)]
    assert [found is not None and found.gives_up for found in results] == [False, False, True]


def test_failures_in_flight_together_are_one_try() -> None:
    made = outages()
    for _ in range(10):
        found = fail(made, A, 10.0, "name", is_known=False, started=0.0)
        assert found is not None
        assert not found.gives_up


def test_a_failed_lookup_of_a_new_host_costs_no_attempt_for_longer() -> None:
    at, found = fail_for(outages(), A, 0.0, 100.0, contact="lookup", is_known=False)
    assert found is not None
    assert found.gives_up
    assert LOOKUP_DOUBT <= at <= DOUBT


def test_without_a_route_the_network_is_down_before_anything_has_answered() -> None:
    made = outages()
    fail(made, A, 0.0, "local", is_known=False)
    fail(made, A, 3.0, "local", is_known=False)
    assert made.network is not None
    made = outages()
    made.answered([B], is_known=False)
    at, found = fail_for(made, A, 0.0, 100.0, contact="local", is_known=False)
    assert found is not None
    assert found.gives_up, "others can be reached, so this host has no address that we can use"
    assert at == NEW_DOUBT


@pytest.mark.parametrize(("contact", "doubt"), [("sent", NEW_DOUBT), ("gateway", DOUBT)])
def test_requests_to_a_new_host_without_response_become_attempts(contact: Contact, doubt: float) -> None:
    made, now, found = outages(), 0.0, None
    for number in range(200):
        known = contact == "gateway" and number > 0  # it has answered, but only with errors of its gateway
        found = fail(made, A, now, contact, url=f"{A}/{number}", is_known=known)
        if found is None and number > 3:
            break
        now += max(0.5, 0.0 if found is None else found.wait)
    assert doubt <= now <= doubt + 60.0
    assert made.given_up([A], now) is None, "its pages may be to blame"


@pytest.mark.parametrize(("known", "patience"), [(False, DOUBT), (True, 600.0)])
@pytest.mark.parametrize("contact", ["sent", "gateway"])
def test_a_request_for_which_all_others_wait_is_tried_for_long(known: bool, patience: float, contact: Contact) -> None:
    made, now = outages(), 0.0
    while True:
        found = fail(made, A, now, contact, is_known=known or now > 0.0, blocks_host=True)
        if found is None:
            break
        assert (found.is_open, found.counts) == (True, False)
        now += found.wait
    assert patience <= now <= patience + 60.0


@pytest.mark.parametrize("contact", ["none", "name", "lookup"])
def test_new_hosts_that_fail_together_are_in_doubt_until_one_is_reached(contact: Contact) -> None:
    made = outages()
    for scope in (A, B, C):
        fail(made, scope, 0.0, contact, is_known=False)
    found = fail(made, D, 0.0, contact, is_known=False)
    assert found is not None
    assert not found.gives_up
    made.answered([A], is_known=False)
    found = fail(made, D, 10.0, "none", is_known=False)
    found = fail(made, D, 11.0, "none", is_known=False)
    assert found is not None
    assert found.gives_up, "others were reached: this one is wrong"


def test_doubt_ends_although_nothing_is_reached() -> None:
    made, now = outages(), 0.0
    given_up = False
    while not given_up:
        found = [fail(made, scope, now, is_known=False) for scope in (A, B, C, D)][-1]
        given_up = found is not None and found.gives_up
        now += 5.0
    assert DOUBT <= now <= DOUBT + 15.0


def test_hosts_that_do_not_exist_cast_no_doubt_on_others() -> None:
    made = outages()
    for scope in (A, B, C):
        for now in (0.0, 3.0, 6.0):
            fail(made, scope, now, is_known=False)
        made.answered([f"https://other-{scope[8:]}"], is_known=False)
    for now in (10.0, 13.0, 15.0):
        found = fail(made, D, now, is_known=False)
    assert found is not None
    assert found.gives_up


# ---- the network -----------------------------------------------------------------------------------------------------


def down(made: Outages, *scopes: str, contact: Contact = "none") -> None:
    """Let hosts fail that have answered before, until the network is taken to be down at 3."""
    for now in (0.0, 3.0):
        for scope in scopes:
            fail(made, scope, now, contact)


def test_the_network_is_down_if_many_hosts_fail_and_none_answers() -> None:
    made = outages()
    down(made, A, B)
    assert made.network is not None
    assert made.network.since == 0.0
    assert made.network_ready_at() == 3.0 + NETWORK_PROBE
    assert made.statistics()["network"].next_probe == 3.0 + NETWORK_PROBE


def test_the_network_is_not_down_if_one_host_fails_or_another_answers() -> None:
    made = outages()
    down(made, A)
    assert made.network is None
    for now in range(4, 20):
        fail(made, A, float(now))
        fail(made, B, float(now))
        made.answered([C], is_known=True)
    assert made.network is None


@pytest.mark.parametrize("contact", ["local", "lookup"])
def test_the_network_is_down_if_the_only_host_has_no_route_or_no_lookup(contact: Contact) -> None:
    made = outages()
    down(made, A, contact=contact)
    assert made.network is not None


def test_one_probe_at_a_time_goes_out_and_any_response_ends_the_outage() -> None:
    made, probe = outages(), object()
    down(made, A, B)
    made.start([A], probe)
    assert made.network_ready_at() == math.inf
    found = fail(made, A, 8.0, request=probe)
    assert found is not None
    assert found.wait == NETWORK_PROBE
    assert made.network_ready_at() == 8.0 + NETWORK_PROBE
    fail(made, B, 9.0)
    assert made.network_ready_at() == 8.0 + NETWORK_PROBE, "it was no probe"
    assert set(made.answered([C], is_known=True)) == {A, B}
    assert made.network is None
    assert made.ready_at([A, B], 9.0) == -math.inf, "all are probed at once"


def test_after_the_patience_everything_is_given_up() -> None:
    made, now = outages(patience=50.0), 3.0
    down(made, A, B)
    while made.network is not None:
        now += NETWORK_PROBE
        probe = object()
        made.start([A], probe)
        fail(made, A, now, request=probe)
    assert 50.0 <= now <= 60.0
    assert made.given_up([D], now) is not None
    made.answered([D], is_known=False)
    assert made.given_up([D], now) is None


@pytest.mark.parametrize(("answered", "waits"), [("http://localhost:8000", LOCAL_DOUBT), (C, 600.0)])
def test_loopback_says_nothing_about_the_network(answered: str, waits: float) -> None:
    made, now, new = outages(), 3.0, {"is_known": False, "contact": "lookup"}
    made.note_response(answered)
    for at in (0.0, 3.0):
        for host in range(10):
            fail(made, f"https://h{host}.test", at, **new)
        made.check(2.0, None)
    assert made.network is not None
    while made.network is not None:
        now += NETWORK_PROBE
        probe = object()
        made.start(["https://h0.test"], probe)
        fail(made, "https://h0.test", now, request=probe, **new)
    assert waits <= now <= waits + 3 * NETWORK_PROBE
    assert made.given_up([D], now) is not None
    assert made.given_up(["http://localhost:8000"], now) is None


def new_hosts_fail(made: Outages, now: float, contact: Contact = "none", hosts: int = 12) -> list[Outage | None]:
    """Let hosts fail that have never answered."""
    return [fail(made, f"https://h{host}.test", now, contact, is_known=False) for host in range(hosts)]


def test_if_a_check_is_answered_new_hosts_fail_on_their_own() -> None:
    made, check = outages(), object()
    made.note_response(C)
    made.answered([C], is_known=False)
    for now in (0.0, 3.0):
        new_hosts_fail(made, now)
    assert made.network is None, "a host that has answered before is to be asked first"
    assert made.silence.check_at == SILENCE
    made.check(3.0, check)
    new_hosts_fail(made, 4.0)
    assert made.network is None
    made.end(check)
    assert made.answered([C], is_known=True, is_check=True)
    assert all(found is not None and found.gives_up for found in new_hosts_fail(made, NEW_DOUBT))
    assert made.silence.check_at == math.inf, "they were asked about"


def test_if_a_check_fails_the_network_is_down_until_any_host_answers() -> None:
    made, check = outages(), object()
    made.note_response(C)
    made.answered([C], is_known=False)
    new_hosts_fail(made, 0.0)
    made.check(2.0, check)
    assert fail(made, C, 3.0, request=check, is_check=True) is None
    assert made.breaker_of(C) is None, "no request of it waits"
    assert made.silence.check_at == 3.0 + NETWORK_PROBE
    new_hosts_fail(made, 3.5)
    assert made.network is not None
    assert made.silence.check_at == 3.0 + CHECK_REST, "in turn with the hosts that wait"
    assert not any(found is None or found.gives_up for found in new_hosts_fail(made, 200.0))
    made.answered([C], is_known=True, is_check=True)
    assert made.network is None
    assert not any(found is None or found.gives_up for found in new_hosts_fail(made, 201.0)), "tries begin anew"


def test_a_check_is_judged_although_all_hosts_answer_meanwhile() -> None:
    made, check = outages(), object()
    made.note_response(C)
    new_hosts_fail(made, 0.0, hosts=3)
    made.check(2.0, check)
    for host in range(3):
        made.answered([f"https://h{host}.test"], is_known=False)
    assert made.active
    made.end(check)
    made.answered([C], is_known=True, is_check=True)
    assert not made.active
    new_hosts_fail(made, 10.0)
    assert made.silence.check_at == 10.0 + SILENCE


def test_a_check_says_nothing_about_lookups() -> None:
    made = outages()
    made.note_response(C)
    made.answered([C], is_known=False)
    new_hosts_fail(made, 0.0, "lookup")
    made.answered([C], is_known=True, is_check=True)
    for now in (30.0, 59.0, 60.0):
        assert not any(found is None or found.gives_up for found in new_hosts_fail(made, now, "lookup")), now
    assert made.network is None
    assert made.silence.check_at == math.inf
    assert all(found is not None and found.gives_up for found in new_hosts_fail(made, DOUBT, "lookup"))


def test_a_proxy_that_is_down_is_not_an_outage_of_the_network() -> None:
    made = outages()
    for now in range(20):
        found = fail(made, PROXY, float(now), is_known=False, is_proxy=True)
        assert made.network is None
    assert found is not None
    assert found.gives_up, "nothing has ever answered through it"
    made = outages()
    made.answered([A], is_known=True)
    for now in range(20):
        found = fail(made, PROXY, float(now), is_known=False, is_proxy=True)
    assert found is not None
    assert not found.gives_up
    assert PROXY in made.statistics()


def test_the_number_of_breakers_is_limited() -> None:
    made = outages()
    for number in range(MAX_SCOPES + 10):
        fail(made, f"https://h{number}.test", 0.0, is_known=False)
    assert len(made._breakers) == MAX_SCOPES
