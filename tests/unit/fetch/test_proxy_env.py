"""The proxies that environment variables name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError
from crawler.fetch.proxy_env import ProxyEnvironment

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
