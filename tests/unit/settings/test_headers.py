"""The setting `headers`: valid header fields, and the order of merged layers."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.errors import ConfigError
from crawler.settings import Settings


def test_headers_are_merged_by_name_and_keep_their_place():
    base = Settings(headers={"Accept-Language": "de", "DNT": "1"})
    over = Settings(headers={"X-A": None, "accept-language": "en"})
    assert list((base | over).headers.items()) == [("accept-language", "en"), ("DNT", "1"), ("X-A", "")]
    assert (base | Settings()).headers == base.headers


@each(
    ("value", "words"),
    [
        ({"A B": "c"}, "not a header name: 'A B'"),
        ({5: "c"}, "not a header name: 5"),
        ({"A": "b\r\nC: d"}, "not a value for A: a line break that cannot be sent at position 2"),
        ({"A": "\0"}, "not a value for A: a NUL that cannot be sent at position 1"),
        ({"A": 5}, "not a value for A: must be text, not int"),
        ({"X": "1", "x": "2"}, "x is given twice"),
        ({"user-AGENT": "x"}, "user-AGENT cannot be a default: use the setting user_agent"),
        ({"Proxy-Authorization": "Basic x"}, "Proxy-Authorization cannot be a default: write user and password in"),
        ({"*.test": {"A B": "c"}}, "*.test: not a header name: 'A B'"),
        (
            {"*.test": {"X-Key": "abc\n"}},
            "*.test: not a value for X-Key: a line break that cannot be sent at position 4",
        ),
        ({"*.test": {"Host": "a"}}, "*.test: Host cannot be a default"),
        ({"a.test/x": {"A": "b"}}, "the key of a mapping must be a glob of hosts, not 'a.test/x'"),
        ({"": {"A": "b"}}, "the key of a mapping must be a glob of hosts, not ''"),
        ({5: {"A": "b"}}, "the key of a mapping must be a glob of hosts, not 5"),
        ({"Host": "a"}, "Host cannot be a default"),
        ([("A", "b")], "must be a mapping of names to values, not list"),
    ],
)
def test_invalid_headers_are_rejected_by_name(value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(headers=value)
    assert str(caught.value).startswith(f"setting headers: {words}")


def test_headers_from_text():
    assert Settings.from_strings({"headers": '{"DNT": "1", "Accept": null}'}).headers == {"DNT": "1", "Accept": ""}
    for text in ("DNT: 1", '"a"'):
        with pytest.raises(ConfigError, match="^setting headers: "):
            Settings.from_strings({"headers": text})


def test_headers_of_hosts_are_merged_glob_by_glob_and_later_layers_match_first():
    base = Settings(headers={"A": "1", "*.test": {"X-Key": "old", "B": "1"}, "other.test": {"C": "1"}})
    over = Settings(headers={"A": "2", "api.test": {"X-Key": "api"}, "*.test": {"x-key": "new"}})
    assert list((base | over).headers.items()) == [
        ("A", "2"),
        ("api.test", {"X-Key": "api"}),
        ("*.test", {"x-key": "new", "B": "1"}),
        ("other.test", {"C": "1"}),
    ]
    assert (base | Settings()).headers == base.headers


def test_references_in_headers_of_hosts_are_resolved(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "abc")
    given = Settings(headers={"*.test": {"X-Key": "env:TEST_KEY"}, "Authorization": "Bearer env:TEST_KEY"})
    assert given.resolved().headers == {"Authorization": "Bearer abc", "*.test": {"X-Key": "abc"}}
    assert "abc" not in repr(given.resolved())
