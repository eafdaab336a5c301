"""Each check of a request's arguments returns the valid value, or says what was expected."""

from __future__ import annotations

import enum
import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Headers
from crawler.messages import checks


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
        (checks.encode_params, ({"a": object()},), TypeError, "params['a'] must be text or a number, not object"),
        (checks.encode_body, (b"", {}, None), TypeError, "give only one of body, json and data"),
        (checks.json_dict, ("meta", {"a": {1}}), TypeError, "meta['a'] does not survive JSON: {1} (set)"),
        (checks.handler_name, ("callback", "a b", None), TypeError, "callback is not the name of a method: 'a b'"),
        (
            checks.handler_name,
            ("callback", len, None),
            TypeError,
            "callback must be a method of the spider or its name",
        ),
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
    assert checks.encode_params({"a": [1, None, True], "b c": b"\xff"}) == "a=1&a=&a=true&b+c=%FF"
    assert checks.encode_body("é", None, None) == ("é".encode(), None)
    assert checks.encode_body(None, [1], None) == (b"[1]", "application/json")
    assert checks.encode_body(None, None, {"a": "~ *"}) == (b"a=%7E+*", "application/x-www-form-urlencoded")
    assert checks.json_dict("meta", None) == {}


@pytest.mark.parametrize("pair", [("a:b", "c"), ("a", "\n"), ("\0", "c"), None])
def test_userinfo_that_http_cannot_carry_is_dropped(pair):
    assert checks.userinfo_auth(pair) is None
    assert checks.userinfo_auth(("a", "b:c")) == ("a", "b:c")


@each("value", [(1, 2), {1: 2}, {1}, b"x", math.nan, math.inf, object(), "\ud800", [(1,)], {"a": b""}])
def test_values_that_do_not_survive_json(value):
    assert not checks.survives_json(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_values_of_json_survive(value):
    assert checks.survives_json(value)
    assert checks.json_dict("meta", {"a": value}) == {"a": value}


@attrs.frozen
class Point:
    x: int


class Handlers:
    def plain(self, response, n=0):
        pass

    def typed(self, response, point: Point, *, tags: set[str] = frozenset()):
        pass

    def unresolved(self, response, point: Missing):  # noqa: F821 - a name that is not there
        pass


def test_a_callback_is_checked_against_its_signature():
    assert checks.handler_name("callback", Handlers().plain, {"n": 1}) == "plain"
    assert checks.handler_name("callback", "anything", {"n": 1}) == "anything"
    assert checks.handler_name("callback", None, None) is None
    with pytest.raises(TypeError, match=r"callback Handlers\.plain cannot be called: got an unexpected keyword"):
        checks.handler_name("callback", Handlers().plain, {"m": 1})
    with pytest.raises(TypeError, match="missing a required argument: 'point'"):
        checks.handler_name("callback", Handlers().typed, {})


def test_arguments_of_callbacks_are_json_that_annotations_bring_back():
    values = {"point": Point(1), "tags": {"a"}}
    assert checks.encode_cb_kwargs(values, Handlers().typed) == {"point": {"x": 1}, "tags": ["a"]}
    assert checks.encode_cb_kwargs({"n": (1, 2)}, "by_name") == {"n": [1, 2]}
    with pytest.raises(TypeError, match=r"cb_kwargs\['n'\] does not survive JSON: .* annotate the parameter"):
        checks.encode_cb_kwargs({"n": Point(1)}, Handlers().plain)
    with pytest.raises(TypeError, match=r"cb_kwargs\['n'\] does not survive JSON"):
        checks.encode_cb_kwargs({"n": math.nan}, "by_name")


def test_text_of_a_subclass_is_text_and_a_member_of_an_enum_is_not():
    class Text(str):
        __slots__ = ()

    class Shelf(enum.StrEnum):
        TOP = "top"

    kept = [checks.json_dict("meta", {"a": Text("x")})["a"], checks.encode_cb_kwargs({"a": Text("x")}, "by_name")["a"]]
    assert kept == ["x", "x"]
    assert [type(value) for value in kept] == [str, str]
    assert checks.encode_body(None, {"a": Text("x")}, None) == (b'{"a":"x"}', "application/json")
    with pytest.raises(TypeError, match=r"meta\['a'\] does not survive JSON"):
        checks.json_dict("meta", {"a": Shelf.TOP})


def test_annotations_that_cannot_be_resolved_count_as_none():
    assert checks.parameter_hints(Handlers.unresolved) == {}
    assert checks.parameter_hints(Handlers.typed) == {"point": Point, "tags": set[str]}
