"""Whether the network is down, as the failures of several hosts show; times are arguments."""

from __future__ import annotations

import random
from typing import Any

import pytest

from crawler.errors import ConnectFailed
from crawler.messages import Request
from crawler.outages.failed_attempt import Contact, FailedAttempt, Outage
from crawler.outages.network import MANY_NEW, NEW, PROBE_REST, PROVEN_AFTER, SILENCE, UNPROVEN
from crawler.outages.outages import Outages

A, B, C, D = (f"https://{name}.test" for name in "abcd")


def outages(patience: float = 600.0) -> Outages:
    return Outages(patience, random.Random(1))


def fail(made: Outages, scope: str, now: float, contact: Contact = "none", **more: Any) -> Outage | None:
    """Let a request fail that started just now."""
    values: dict[str, Any] = {"url": f"{scope}/", "ticket": object(), "started": now, "is_known": True} | more
    return made.failed(FailedAttempt(scope=scope, contact=contact, error=ConnectFailed("no"), **values), now)


def down(made: Outages, *scopes: str, contact: Contact = "none") -> None:
    """Let hosts fail that have answered before, until the network is taken to be down at 3."""
    for now in (0.0, 3.0):
        for scope in scopes:
            fail(made, scope, now, contact)


def new_hosts_fail(made: Outages, now: float, contact: Contact = "none", hosts: int = MANY_NEW) -> list[Outage | None]:
    """Let hosts fail that have never answered."""
    return [fail(made, f"https://h{host}.test", now, contact, is_known=False) for host in range(hosts)]


def is_down(made: Outages) -> bool:
    return made.network.breaker is not None


def probe_until_given_up(made: Outages, url: str, now: float, **more: Any) -> float:
    """Let probes of the network fail. Return when it is given up."""
    while is_down(made):
        now += PROBE_REST
        probe = object()
        made.start(probe, Request(url))
        fail(made, url, now, ticket=probe, **more)
    return now


def refused(made: Outages, url: str, now: float) -> bool:
    """Whether a request fails at once."""
    return made.refusal(Request(url), now) is not None


def test_the_network_is_down_if_two_known_hosts_fail_and_nothing_answers() -> None:
    made = outages()
    down(made, A, B)
    assert made.network.breaker is not None
    assert made.network.breaker.since == 0.0
    assert made.network_ready_at() == 3.0 + PROBE_REST
    assert made.statistics()["network"].next_probe == 3.0 + PROBE_REST


def test_the_network_is_not_down_if_one_host_fails_or_another_answers() -> None:
    made = outages()
    down(made, A)
    assert not is_down(made)
    for now in range(4, 20):
        fail(made, A, float(now))
        fail(made, B, float(now))
        made.answered((C,), float(now))
    assert not is_down(made)


@pytest.mark.parametrize("contact", ["local", "lookup"])
def test_the_network_is_down_if_the_only_host_has_no_route_or_no_lookup(contact: Contact) -> None:
    made = outages()
    down(made, A, contact=contact)
    assert is_down(made)


def test_without_a_route_the_network_is_down_before_anything_has_answered() -> None:
    made = outages()
    fail(made, A, 0.0, "local", is_known=False)
    fail(made, A, 3.0, "local", is_known=False)
    assert is_down(made)
    made = outages()
    made.answered((B,), 0.0)
    for now in (0.0, 3.0, 1.0 + NEW):
        found = fail(made, A, now, "local", is_known=False)
    assert found is not None
    assert found.gives_up, "others can be reached, so this host has no address that we can use"


@pytest.mark.parametrize("contact", ["none", "refused", "lookup", "name", "local"])
def test_new_hosts_that_fail_together_show_an_outage_at_the_start_and_after_others_have_answered(
    contact: Contact,
) -> None:
    for has_answered in (False, True):
        made = outages()
        if has_answered:
            made.answered((C,), 99.8)
        for now in (100.0, 100.0 + SILENCE):
            found = new_hosts_fail(made, now, contact)
        assert is_down(made)
        assert found[-1] is not None
        assert not found[-1].gives_up


def test_fewer_new_hosts_are_dead() -> None:
    made = outages()
    made.answered((C,), 99.8)
    for now in (100.0, 103.0, 100.0 + NEW):
        found = new_hosts_fail(made, now, hosts=MANY_NEW - 1)
    assert not is_down(made)
    assert all(one is not None and one.gives_up for one in found)


def test_new_hosts_that_failed_while_others_answered_are_dead_however_many() -> None:
    made = outages()
    new_hosts_fail(made, 100.0, hosts=50)
    made.answered((C,), 100.0 + PROVEN_AFTER)
    for now in (103.0, 100.0 + NEW):
        found = new_hosts_fail(made, now, hosts=50)
    assert not is_down(made)
    assert all(one is not None and one.gives_up for one in found)


def test_a_response_that_was_on_its_way_proves_nothing() -> None:
    made = outages()
    new_hosts_fail(made, 100.0)
    made.answered((C,), 100.0 + PROVEN_AFTER / 2)
    for now in (101.0, 101.0 + SILENCE):
        new_hosts_fail(made, now)
    assert is_down(made)


@pytest.mark.parametrize(("contact", "down"), [("none", True), ("local", True), ("refused", False), ("name", False)])
def test_in_a_run_in_which_nothing_has_answered_yet_a_refusal_shows_no_outage(contact: Contact, down: bool) -> None:
    """What an earlier run has left may be its dead hosts."""
    made = outages()
    made.network.note_online(C)
    for now in (0.0, 3.0, 6.0):
        new_hosts_fail(made, now, contact)
    assert is_down(made) == down


def test_one_probe_at_a_time_goes_out_and_any_response_ends_the_outage() -> None:
    made, probe = outages(), object()
    down(made, A, B)
    made.start(probe, Request(A))
    assert made.network_ready_at() == float("inf")
    found = fail(made, A, 8.0, ticket=probe)
    assert found is not None
    assert found.wait == PROBE_REST
    assert made.network_ready_at() == 8.0 + PROBE_REST
    fail(made, B, 9.0)
    assert made.network_ready_at() == 8.0 + PROBE_REST, "it was no probe"
    assert made.answered((C,), 9.0)
    assert not is_down(made)
    assert all(made.ready_at(Request(url), 9.0) < 9.0 for url in (A, B)), "all are asked at once"


def test_what_failed_in_an_outage_says_nothing_about_its_host() -> None:
    made = outages()
    for now in (0.0, 3.0, 200.0):
        new_hosts_fail(made, now)
    made.answered((C,), 200.0)
    found = new_hosts_fail(made, 201.0, hosts=3)
    assert not any(one is None or one.gives_up for one in found), "tries begin anew"


def test_after_the_patience_everything_is_given_up_until_something_answers() -> None:
    made = outages(patience=50.0)
    down(made, A, B)
    now = probe_until_given_up(made, A, 3.0)
    assert 50.0 <= now <= 60.0
    assert refused(made, D, now)
    made.answered((D,), now)
    assert not refused(made, D, now)


def test_an_outage_before_anything_has_ever_answered_is_given_up_earlier() -> None:
    made, new = outages(), {"is_known": False, "contact": "lookup"}
    for now in (0.0, 3.0):
        new_hosts_fail(made, now, "lookup")
    assert UNPROVEN <= probe_until_given_up(made, "https://h0.test", 3.0, **new) <= UNPROVEN + 3 * PROBE_REST


@pytest.mark.parametrize(("answered", "waits"), [("http://localhost:8000", NEW), (C, 600.0)])
def test_loopback_says_nothing_about_the_network(answered: str, waits: float) -> None:
    made, new = outages(), {"is_known": False, "contact": "lookup"}
    made.network.note_online(answered)
    for at in (0.0, 3.0):
        new_hosts_fail(made, at, "lookup")
    assert is_down(made)
    now = probe_until_given_up(made, "https://h0.test", 3.0, **new)
    assert waits <= now <= waits + 3 * PROBE_REST
    assert refused(made, D, now)
    assert not refused(made, "http://localhost:8000", now)


def test_hosts_on_this_machine_and_proxies_that_are_down_show_no_outage() -> None:
    made = outages()
    for now in range(20):
        fail(made, "http://localhost:1", float(now))
        fail(made, "http://localhost:2", float(now))
        fail(made, "proxy.test:3128", float(now), is_known=False, is_proxy=True)
        fail(made, "proxy.test:3129", float(now), is_known=False, is_proxy=True)
    assert not is_down(made)


def test_pages_are_not_to_blame_while_the_network_may_be_down() -> None:
    made = outages()
    for scope in (A, B):
        found = fail(made, scope, 0.0, "sent")
    assert found is not None
    assert found.is_open
