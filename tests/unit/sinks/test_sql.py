"""`SqlSink`: names and kinds of columns. tests/unit/plugins/test_sqlite.py tests what every database must do."""

from __future__ import annotations

from crawler_plugins.outputs.sqlite import SQLite
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.sinks.sql import _kinds, _wider

KINDS = ["bool", "int", "float", "text"]
names = st.text(st.characters(codec="utf-8"), max_size=3) | st.sampled_from(["_key", "_page", "É", "é", "ß", "SS"])


@each("one", KINDS)
@each("other", KINDS)
def test_the_wider_of_two_kinds_takes_both(one, other):
    wider = _wider(one, other)
    assert wider == _wider(other, one) == _wider(wider, one) == _wider(wider, other)
    assert wider == (one if one == other else "float" if {one, other} == {"int", "float"} else "text")


def test_a_column_of_another_type_stays_as_it_is():
    assert {_wider("other", kind) for kind in KINDS} == {"other"}


def test_fields_have_the_kind_of_all_their_values():
    items = [{"a": 1, "b": None, "c": True}, {"a": 2.5, "c": False, "d": 2**63}, {"d": 1, "e": []}]
    assert _kinds(items) == {"a": "float", "c": "bool", "d": "text", "e": "text"}


@given(st.lists(names, unique=True, max_size=8), st.randoms())
def test_each_field_has_a_column_of_its_own_whatever_its_name_is(tmp_path_factory, fields, random):
    sink = SQLite("items.sqlite")
    used = {"_key": "_key", "_page": "_page"}
    found = {}
    for field in fields:
        column = found[field] = sink._column(field, used, found.values())
        used[column.casefold()] = column
    assert len(used) == len(fields) + 2
    again = {}
    for field in fields:
        again[field] = sink._column(field, used, again.values())
    assert again == found
