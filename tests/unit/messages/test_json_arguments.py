"""Values that JSON would change are refused with the reason; all others come back."""

from __future__ import annotations

import enum
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.messages.json_arguments import json_dict, survives_json


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
