"""Callbacks are checked when a request is made: their names, signatures and arguments."""

from __future__ import annotations

import math

import attrs
import pytest
from support.cases import each

from crawler.messages.handlers import encode_cb_kwargs, handler_name, parameter_hints


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
    assert handler_name("callback", Handlers().plain, {"n": 1}) == "plain"
    assert handler_name("callback", "anything", {"n": 1}) == "anything"
    assert handler_name("callback", None, None) is None
    with pytest.raises(TypeError, match=r"callback Handlers\.plain cannot be called: got an unexpected keyword"):
        handler_name("callback", Handlers().plain, {"m": 1})
    with pytest.raises(TypeError, match="missing a required argument: 'point'"):
        handler_name("callback", Handlers().typed, {})


def test_arguments_of_callbacks_are_json_that_annotations_bring_back():
    values = {"point": Point(1), "tags": {"a"}}
    assert encode_cb_kwargs(values, Handlers().typed) == {"point": {"x": 1}, "tags": ["a"]}
    assert encode_cb_kwargs({"n": (1, 2)}, "by_name") == {"n": [1, 2]}
    with pytest.raises(TypeError, match=r"cb_kwargs\['n'\] does not survive JSON: .* annotate the parameter"):
        encode_cb_kwargs({"n": Point(1)}, Handlers().plain)
    with pytest.raises(TypeError, match=r"cb_kwargs\['n'\] does not survive JSON"):
        encode_cb_kwargs({"n": math.nan}, "by_name")


@each(
    ("handler", "message"),
    [
        ("a b", "callback is not the name of a method: 'a b'"),
        (len, "callback must be a method of the spider or its name"),
    ],
)
def test_other_values_are_no_callbacks(handler, message):
    with pytest.raises(TypeError, match=message):
        handler_name("callback", handler, None)


def test_an_argument_of_a_subclass_of_str_is_text():
    class Text(str):
        __slots__ = ()

    kept = encode_cb_kwargs({"a": Text("x")}, "by_name")["a"]
    assert kept == "x"
    assert type(kept) is str


def test_annotations_that_cannot_be_resolved_count_as_none():
    assert parameter_hints(Handlers.unresolved) == {}
    assert parameter_hints(Handlers.typed) == {"point": Point, "tags": set[str]}
