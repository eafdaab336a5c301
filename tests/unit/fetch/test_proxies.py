"""The choice of a proxy: turns, pauses after failures, and rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import Settings
from crawler.fetch.proxies import BASE_PAUSE, MAX_PAUSE, Proxies, Proxy, Rotation
from crawler.settings.proxies import label, proxy_url

A, B, C = "http://a.test:1", "http://b.test:2", "socks5h://me:secret@c.test"


def rotation(*urls: str) -> Rotation:
    return Rotation(Proxy(url, label(url)) for url in urls)


def chosen(turns: Rotation, now: float = 0.0, times: int = 1) -> list[str]:
    return [turns.choose(now).url for _ in range(times)]


# ---- turns and rests -------------------------------------------------------------------------------------------------


def test_proxies_take_turns():
    assert chosen(rotation(A, B, C), times=7) == [A, B, C, A, B, C, A]


def test_one_that_failed_rests_and_comes_back():
    turns = rotation(A, B, C)
    assert turns.proxies[1].mark_failed(0.0, 0.0) == BASE_PAUSE
    assert chosen(turns, 0.1, 4) == [A, C, A, C]
    assert B in chosen(turns, BASE_PAUSE, 3)


def test_the_rest_is_doubled_up_to_its_longest():
    proxy = rotation(A).proxies[0]
    now, rests = 0.0, []
    for _ in range(12):
        rests.append(proxy.mark_failed(now, now))
        now = proxy.avoided_until
    assert rests[:4] == [BASE_PAUSE, 2 * BASE_PAUSE, 4 * BASE_PAUSE, 8 * BASE_PAUSE]
    assert rests[-1] == MAX_PAUSE == max(rests)


def test_requests_that_fail_together_are_one_failure():
    proxy = rotation(A).proxies[0]
    assert [proxy.mark_failed(began, 10.0) for began in (8.0, 9.0, 9.5)] == [BASE_PAUSE, 0.0, 0.0]
    assert proxy.mark_failed(proxy.avoided_until, 20.0) == 2 * BASE_PAUSE


def test_a_success_ends_the_rest_but_not_one_that_is_older_than_the_failure():
    proxy = rotation(A).proxies[0]
    proxy.mark_failed(5.0, 6.0)
    proxy.mark_working(5.5)
    assert proxy.avoided_until == 6.0 + BASE_PAUSE
    proxy.mark_working(7.0)
    assert proxy.avoided_until < 0
    assert proxy.mark_failed(8.0, 8.0) == BASE_PAUSE


def test_if_all_rest_the_one_that_is_due_first_is_used():
    turns = rotation(A, B, C)
    for proxy, at in zip(turns.proxies, (3.0, 1.0, 2.0), strict=True):
        proxy.mark_failed(at, at)
    assert chosen(turns, 3.5, 2) == [B, B]


def test_a_proxy_that_was_tried_is_not_chosen_again():
    turns = rotation(A, B)
    a, b = turns.proxies
    assert turns.choose(0.0, [a]) is b
    b.mark_failed(0.0, 0.0)
    assert turns.choose(0.0, [a]) is b, "at rest, but there is no other"
    assert turns.choose(0.0, [a, b]) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100), st.booleans()), max_size=30), st.floats(0, 3000))
def test_a_resting_proxy_is_chosen_only_if_all_rest(events, now):
    turns = rotation(A, B, C, "http://d.test")
    for index, at, bad in sorted(events, key=lambda event: event[1]):
        turns.proxies[index].mark_failed(at, at) if bad else turns.proxies[index].mark_working(at)
    proxy = turns.choose(now)
    awake = [one for one in turns.proxies if one.avoided_until <= now]
    assert proxy in (awake or [min(turns.proxies, key=lambda one: one.avoided_until)])


# ---- rules -----------------------------------------------------------------------------------------------------------


def route(settings: Settings, url: str, **environment: str) -> list[str | None] | None:
    proxies = Proxies.from_settings(settings, environment)
    found = None if proxies is None else proxies.rotation_for(url)
    return None if found is None else [proxy.url for proxy in found.proxies]


def test_without_any_there_is_nothing_to_ask():
    assert Proxies.from_settings(Settings(), {}) is None
    assert Proxies.from_settings(Settings(proxies=[]), {"no_proxy": "a", "PATH": "b", "http_proxy": ""}) is None


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://one.test/", [A, B]),
        ("https://one.test:8443/a", [C]),
        ("http://intern.test/", None),
        ("http://deep.intern.test/", None),
        ("http://[::1]:80/", [B]),
    ],
)
def test_the_first_glob_that_matches_counts(url, found):
    rules = {"*:8443": C, "*intern.test": "direct", "[::1]": B, "*": [A, B]}
    assert route(Settings(proxies=rules), url) == found


def test_a_url_that_no_glob_matches_uses_the_proxy_of_the_environment():
    rules = Settings(proxies={"a.test": A, "b.test": "direct"})
    environment = {"http_proxy": "http://env.test"}
    assert route(rules, "http://a.test/", **environment) == [A]
    assert route(rules, "http://b.test/", **environment) is None
    assert route(rules, "http://c.test/", **environment) == ["http://env.test"]
    assert route(rules | Settings(proxy_env=False), "http://c.test/", **environment) is None


def test_a_proxy_in_two_rules_is_one_and_direct_may_be_among_them():
    proxies = Proxies.from_settings(Settings(proxies={"a.test": [A, B], "b.test": [B, "direct"]}), {})
    a, b = proxies.rotation_for("http://a.test/"), proxies.rotation_for("http://b.test/")
    assert a.proxies[1] is b.proxies[0]
    assert [proxy.url for proxy in b.proxies] == [B, None]
    assert b.proxies[1].mark_failed(0.0, 0.0) == 0.0
    assert proxies.rotation_for("http://a.test/other") is a


def test_the_report_names_host_and_port():
    proxies = Proxies.from_settings(Settings(proxies=[C, "http://[::1]"]), {})
    first = proxies.rotation_for("http://a.test/").proxies[0]
    proxies.requests[first.name] += 2
    proxies.mark_failed(first, 0.0, 0.0, ValueError("no"))
    assert proxies.report() == {"c.test:1080": {"requests": 2, "failures": 1}}
    assert label("http://[::1]") == "[::1]:80"


@given(st.text())
def test_any_text_is_a_proxy_or_refused_without_showing_its_credentials(text):
    try:
        assert proxy_url(text) == text
        assert ":" in label(text)
    except ValueError as error:
        assert str(error).startswith("not the URL of an http, https, socks5 or socks5h proxy: ")  # noqa: PT017
