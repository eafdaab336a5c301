"""Hosts and depths that belong to a crawl."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError, urls
from crawler.scope import Scope
from crawler.scope import domains as module


@each(
    ("domain", "url", "inside"),
    [
        ("example.com", "https://example.com/", True),
        ("example.com", "http://example.com:8080/a", True),
        ("example.com", "https://www.example.com/", True),
        ("example.com", "https://a.b.example.com/", True),
        ("example.com", "https://notexample.com/", False),
        ("example.com", "https://example.com.evil.test/", False),
        ("example.com", "https://evil.test/example.com", False),
        ("example.com", "https://evil.test/?example.com", False),
        ("example.com", "https://example.com@evil.test/", False),
        ("example.com", "https://evil.test@example.com/", True),
        ("example.com", "https://example.com./", True),
        ("example.com.", "https://example.com/", True),
        (".example.com", "https://www.example.com/", True),
        (".example.com", "https://example.com/", True),
        ("EXAMPLE.com", "https://example.com/", True),
        ("www.example.com", "https://example.com/", False),
        ("com", "https://example.com/", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("xn--bcher-kva.example", "https://bücher.example/", True),
        ("example.com:8080", "https://example.com:8080/", True),
        ("example.com:8080", "https://example.com/", False),
        ("example.com:8080", "https://www.example.com:8080/", False),
        ("example.com:443", "https://example.com/", True),
        ("example.com:443", "http://example.com/", False),
        ("example.com:80", "http://example.com/", True),
        ("example.com:80", "https://example.com:80/", True),
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
        ("127.0.0.1", "http://127.0.0.2/", False),
        ("0.0.1", "http://127.0.0.1/", False),
        ("[::1]", "http://[::1]:81/", True),
        ("[::1]:81", "http://[::1]:81/", True),
        ("[::1]:81", "http://[::1]/", False),
        ("localhost", "http://localhost:1234/", True),
        ("=example.com", "https://example.com/", True),
        ("=example.com", "https://example.com:8443/", True),
        ("=example.com", "https://www.example.com/", False),
        ("=example.com:81", "https://example.com:81/", True),
        ("=example.com:81", "https://example.com/", False),
        ("=127.0.0.1", "http://127.0.0.1:8000/", True),
        ("~example.co.uk", "https://example.co.uk/", True),
        ("~www.example.co.uk", "https://example.co.uk/", True),
        ("~www.example.co.uk", "https://a.b.example.co.uk:81/", True),
        ("~www.example.co.uk", "https://other.co.uk/", False),
        ("~www.example.co.uk", "https://co.uk/", False),
        ("~a.github.io", "https://a.github.io/", True),
        ("~a.github.io", "https://b.github.io/", False),
        ("~Bücher.example.com", "https://example.com/", True),
        ("~127.0.0.1", "http://127.0.0.1:8000/", True),
        ("~127.0.0.1", "http://127.0.0.2/", False),
    ],
)
def test_a_domain_holds_its_host_and_subdomains(domain, url, inside):
    assert (Scope([domain]).refuses(urls.normalize(url), 0) is None) is inside


def test_without_domains_every_host_is_inside():
    assert Scope().refuses("https://example.com/", 10**9) is None


def test_an_empty_list_of_domains_holds_nothing():
    assert Scope([]).refuses("https://example.com/", 0) == "scope"


def test_one_of_several_domains_is_enough():
    scope = Scope(["a.test", "b.test:81", "c.test"])
    assert [scope.refuses(f"https://{host}/", 0) for host in ("a.test", "b.test", "b.test:81", "x.c.test")] == [
        None, "scope", None, None
    ]  # fmt: skip


@each(
    "domain",
    ["", ".", "https://example.com", "example.com/", "example.com/a", "user@example.com", "*.example.com", "a b", "a:b",
     "a:99999", "::1", None, 5, b"example.com", "=", "~", "~co.uk", "~com", "~example.com:80", "~=example.com"],
)  # fmt: skip
def test_an_invalid_domain_is_refused(domain):
    with pytest.raises(ConfigError) as caught:
        Scope([domain])
    assert str(caught.value).startswith(f"allowed_domains: not a domain: {domain!r}")


@pytest.mark.parametrize("domains", ["example.com", 5])
def test_a_string_is_not_a_list_of_domains(domains):
    with pytest.raises(ConfigError, match=f"^allowed_domains must be a list of domains, not {domains!r}$"):
        Scope(domains)


@pytest.mark.parametrize(("most", "depth", "reason"), [(0, 0, None), (0, 1, "depth"), (2, 2, None), (2, 3, "depth")])
def test_the_maximum_depth_is_kept(most, depth, reason):
    assert Scope(None, most).refuses("https://example.com/", depth) == reason


def test_depth_is_the_first_reason():
    assert Scope(["a.test"], 1).refuses("https://b.test/", 2) == "depth"
    assert Scope(["a.test"], 1).refuses("https://b.test/", 1) == "scope"


@given(st.lists(st.sampled_from(["a.test", "b.test:81", "www.a.test", "c.test"]), min_size=1, max_size=30))
def test_a_remembered_verdict_equals_a_computed_one(hosts):
    scope = Scope(["a.test", "b.test:81"])
    for host in hosts:
        url = f"https://{host}/"
        assert scope.refuses(url, 0) == Scope(["a.test", "b.test:81"]).refuses(url, 0)


def test_the_number_of_remembered_hosts_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    scope = Scope(["a.test"])
    for number in range(100):
        assert scope.refuses(f"https://h{number}.a.test/", 0) is None
        assert scope.refuses(f"https://h{number}.b.test/", 0) == "scope"
    assert len(scope.domains._verdicts) <= 10


@pytest.mark.parametrize("host", ["co.uk", "com", "localhost"])
def test_a_public_suffix_stands_for_no_domain(host):
    with pytest.raises(
        ConfigError, match=rf"^allowed_domains: not a domain: '~{host}' \({host} has no registrable domain"
    ):
        Scope([f"~{host}"])
