"""Lists, dictionaries and policies of the IETF rate limit drafts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.structured_fields import Member, Policy, leading_number, parse_members, parse_policies


def test_a_list_has_values_and_parameters():
    assert parse_members('"a b";r=5;T=1, token;q="x;\\"y\\", z";flag , :YQ==:;pk=:YQ==:') == [
        Member("", "a b", {"r": "5", "t": "1"}),
        Member("", "token", {"q": 'x;"y", z', "flag": "?1"}),
        Member("", ":YQ==:", {"pk": ":YQ==:"}),
    ]


def test_a_dictionary_has_keys():
    assert parse_members("limit=10, Remaining = 5;x=1") == [
        Member("limit", "10", {}),
        Member("remaining", "5", {"x": "1"}),
    ]


@each("text", ["", " ", ",", "a,,b", '"a', "a=", "a;", "a;=1", "a b", 'a"b"', "a;b=", "x" * 9000])
def test_a_malformed_value_is_ignored_as_a_whole(text):
    assert parse_members(text) == []


@each(
    "text", [" " * 8000, "a" * 4000 + " " * 4000, "a=" * 4000, ";" * 8000, '"' * 8001, '"\\' * 4000, "a;b" * 2700,
             "a;" + " " * 8000, "a=b;c" + " " * 8000 + "=", "-" * 8000 + "="]
)  # fmt: skip
def test_no_text_takes_long(text):
    begun = time.process_time()
    parse_members(text)
    parse_policies(text)
    assert time.process_time() - begun < 0.5


def test_policies_have_names_or_are_named_after_their_windows():
    a, b = parse_policies('10;w=1, 50;w=60;name="per-ip"')
    assert a == Policy(name="1s", limit=10, window=1, unit="requests")
    assert b == Policy(name="per-ip", limit=50, window=60, unit="requests")
    (c,) = parse_policies('"daily";q=9;w=86400;qu="content-bytes"')
    assert c == Policy(name="daily", limit=9, window=86400, unit="content-bytes")


@pytest.mark.parametrize(
    "text", ["100", "100;w=0", "100;w=-1", '"a"', '"a";q=x', '"a";q=-1', "-5;w=1", "a=5;w=1", '"";q=1']
)
def test_values_without_limit_and_window_are_not_policies(text):
    assert parse_policies(text) == ()


def test_a_long_list_is_truncated():
    assert len(parse_members(",".join(map(str, range(100))))) == 32


@each(
    ("text", "value"),
    [("5", 5), (" 57.0 ", 57), ("-1", -1), ("100;w=10", 100), ("10, 10;w=1", 10), ("", None), (None, None), ("x", None),
     ("5x", None), ("٣", None), ("1e3", None), ("9" * 19, None), ("+1", None)],
)  # fmt: skip
def test_the_number_at_the_start_of_a_value(text, value):
    assert leading_number(text) == value


@given(st.text() | st.text(alphabet='ab1",;=\\: \t'))
def test_no_text_breaks_it(text):
    for member in parse_members(text):
        assert all(isinstance(value, str) for value in (member.key, member.value, *member.params.values()))
    for policy in parse_policies(text):
        assert policy.name
        assert policy.limit >= 0
