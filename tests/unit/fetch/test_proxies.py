"""The choice of a proxy: turns, pauses after failures, and rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError, Settings
from crawler.fetch.proxies import BASE_PAUSE, MAX_PAUSE, Proxies, Proxy, ProxyEnvironment, Rotation
from crawler.settings.proxies import label, proxy_url

A, B, C = "http://a.test:1", "http://b.test:2", "socks5h://me:secret@c.test"


@each(
    ("environment", "http", "https"),
    [
        ({"http_proxy": A}, A, None),
        ({"https_proxy": A}, None, A),
        ({"all_proxy": A}, A, A),
        ({"ALL_PROXY": A, "HTTPS_PROXY": B}, A, B),
        ({"http_proxy": A, "HTTP_PROXY": B}, A, None),
        ({"HTTP_PROXY": B}, B, None),
        ({"HTTP_PROXY": B, "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTPS_PROXY": B, "REQUEST_METHOD": "GET"}, None, B),
        ({"http_proxy": "", "HTTP_PROXY": B, "all_proxy": C}, None, C),
        ({"http_proxy": "p.test:3128"}, "http://p.test:3128", None),
        ({"http_proxy": "p.test"}, "http://p.test", None),
        ({"http_proxy": " http://p.test/ "}, "http://p.test/", None),
        ({"all_proxy": "socks://p.test:9050/"}, "socks5h://p.test:9050/", "socks5h://p.test:9050/"),
        ({"all_proxy": "nonsense://", "http_proxy": A, "https_proxy": B}, A, B),
    ],
)
def test_variables_in_either_spelling(environment, http, https):
    found = ProxyEnvironment.from_environ(environment)
    assert (found.proxy_for("http://site.test"), found.proxy_for("https://site.test")) == (http, https)


@pytest.mark.parametrize("value", ["ftp://p.test", "http://", "http://me:secret@p.test:x", "socks4://p.test"])
def test_a_variable_that_names_no_proxy_is_one_clear_line(value):
    with pytest.raises(
        ConfigError, match=r"^HTTPS_PROXY in the environment: not the URL of an .*proxy_env=false"
    ) as caught:
        ProxyEnvironment.from_environ({"HTTPS_PROXY": value})
    assert "secret" not in str(caught.value)


@each(
    ("exceptions", "url", "direct"),
    [
        ("", "http://site.test", False),
        ("*", "http://site.test", True),
        ("site.test", "http://site.test", True),
        ("site.test", "https://site.test:8443", True),
        ("site.test", "http://www.site.test", True),
        ("site.test", "http://othersite.test", False),
        (".site.test", "http://site.test", True),
        (".site.test", "http://www.site.test", True),
        ("*.site.test", "http://www.site.test", True),
        ("SITE.test", "http://site.test", True),
        ("a.test, site.test", "http://site.test", True),
        ("a.test site.test", "http://site.test", True),
        ("site.test:8080", "http://site.test:8080", True),
        ("site.test:8080", "http://site.test", False),
        ("site.test:80", "http://site.test", True),
        ("site.test:443", "https://site.test", True),
        ("10.0.0.1", "http://10.0.0.1", True),
        ("10.0.0.0/8", "http://10.1.2.3:81", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/8", "http://site.test", False),
        ("fe80::/10", "http://[fe80::1]", True),
        ("[fe80::1]:81", "http://[fe80::1]:81", True),
        ("[fe80::1]:81", "http://[fe80::1]", False),
        ("10.0.0.1", "http://10.0.0.10", False),
        (",, .", "http://site.test", False),
    ],
)
def test_exceptions(exceptions, url, direct):
    found = ProxyEnvironment.from_environ({"all_proxy": A, "NO_PROXY": exceptions})
    assert found.proxy_for(url) == (None if direct else A)


@pytest.mark.parametrize(
    "url", ["http://localhost", "http://a.localhost:80", "https://127.0.0.1:8443", "http://127.1.2.3", "http://[::1]"]
)
def test_loopback_is_reached_directly(url):
    assert ProxyEnvironment.from_environ({"all_proxy": A}).proxy_for(url) is None


@given(st.text(), st.sampled_from(["http://site.test", "https://10.0.0.1:81", "http://[::2]"]))
def test_any_list_of_exceptions_can_be_read(text, origin):
    assert ProxyEnvironment.from_environ({"all_proxy": A, "no_proxy": text}).proxy_for(origin) in (None, A)


def test_an_environment_without_proxies_is_false():
    assert not ProxyEnvironment.from_environ({"PATH": "/bin", "no_proxy": "*"})
    assert ProxyEnvironment.from_environ({"all_proxy": A})


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
