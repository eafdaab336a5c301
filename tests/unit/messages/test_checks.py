"""Each check of a request's arguments returns the valid value, or says what was expected."""

from __future__ import annotations

import enum
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Headers
from crawler.messages import checks
from crawler.messages.checks import json_dict, survives_json


@each(
    ("check", "arguments", "error", "message"),
    [
        (checks.require_type, (str, "url", 5), TypeError, "url must be str, not int"),
        (checks.require_text, ("session", b"x"), TypeError, "session must be str, not bytes"),
        (
            checks.require_text,
            ("session", "\ud800"),
            TypeError,
            "session does not survive JSON: a lone surrogate at position 1",
        ),
        (checks.require_int, ("priority", 1.5), TypeError, "priority must be int, not float"),
        (checks.require_int, ("priority", True), TypeError, "priority must be int, not bool"),
        (checks.require_int, ("attempts", 0, 1), ValueError, "attempts must be at least 1, not 0"),
        (checks.require_int, ("priority", 2**63), ValueError, f"priority must be smaller, not {2**63}"),
        (checks.require_positive, ("timeout", "5"), TypeError, "timeout must be a number, not str"),
        (checks.require_positive, ("timeout", 0), ValueError, "timeout must be a number above 0, not 0"),
        (checks.require_positive, ("timeout", math.inf), ValueError, "timeout must be a number above 0, not inf"),
        (checks.parse_auth, ("Bearer",), ValueError, "auth: a string must be a scheme and credentials"),
        (checks.parse_auth, (("a", "b", "c"),), TypeError, "auth must be a user and a password, or text such as"),
        (checks.parse_auth, (("a:b", "c"),), ValueError, "auth: the user must have no colon"),
        (checks.parse_proxy, ("ftp://p",), ValueError, "proxy is "),
        (checks.parse_headers, ({"a b": "c"},), ValueError, "headers: not a field name: 'a b'"),
        (
            checks.parse_headers,
            ({"a": "b\n"},),
            ValueError,
            "headers: not a valid value for a: a line break that cannot be sent at position 2",
        ),
        (
            checks.parse_cookies,
            ({"a": "b;"},),
            ValueError,
            "cookies: not a valid value for a: a character that cannot be sent at position 2",
        ),
        (checks.parse_quotas, ({"a": 0},), ValueError, "quotas['a'] must be a number above 0, not 0"),
        (checks.parse_statuses, ([99],), ValueError, "accept_status: not an HTTP status: 99"),
        (checks.name_value_pairs, ("params", "ab"), TypeError, "params must be a mapping or pairs, not str"),
    ],
)
def test_invalid_values_are_refused_with_the_reason(check, arguments, error, message):
    with pytest.raises(error) as caught:
        check(*arguments)
    assert str(caught.value).startswith(message)


def test_valid_values_come_back():
    assert checks.parse_auth(["a", "b"]) == ("a", "b")
    assert checks.parse_auth("Bearer x") == "Bearer x"
    assert checks.parse_proxy("direct") == "direct"
    assert checks.parse_headers([("A", None), ("b", "c")]).pairs == Headers([("A", ""), ("b", "c")]).pairs
    assert checks.parse_cookies({"a": "b"}) == {"a": "b"}
    assert checks.parse_statuses(range(404, 406)) == (404, 405)


@pytest.mark.parametrize("pair", [("a:b", "c"), ("a", "\n"), ("\0", "c"), None])
def test_userinfo_that_http_cannot_carry_is_dropped(pair):
    assert checks.userinfo_auth(pair) is None
    assert checks.userinfo_auth(("a", "b:c")) == ("a", "b:c")


@each("value", [(1, 2), {1: 2}, {1}, b"x", math.nan, math.inf, object(), "\ud800", [(1,)], {"a": b""}])
def test_values_that_do_not_survive_json(value):
    assert not survives_json(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_values_of_json_survive(value):
    assert survives_json(value)
    assert json_dict("meta", {"a": value}) == {"a": value}


def test_a_dict_is_refused_with_the_value_that_does_not_survive():
    assert json_dict("meta", None) == {}
    with pytest.raises(TypeError, match=r"meta\['a'\] does not survive JSON: \{1\} \(set\)"):
        json_dict("meta", {"a": {1}})


def test_text_of_a_subclass_is_text_and_a_member_of_an_enum_is_not():
    class Text(str):
        __slots__ = ()

    class Shelf(enum.StrEnum):
        TOP = "top"

    kept = json_dict("meta", {"a": Text("x")})["a"]
    assert kept == "x"
    assert type(kept) is str
    with pytest.raises(TypeError, match=r"meta\['a'\] does not survive JSON"):
        json_dict("meta", {"a": Shelf.TOP})
