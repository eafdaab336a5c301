"""Paths into JSON values: dotted paths, JMESPath, and invalid ones."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.records.json_path import compile_path, get_path, parse_keys


@each(
    ("path", "found"),
    [
        ("", {"data": {"a.b": [1, {"c-d": None, "@e": 2}]}, "$f": 0}),
        ("data", {"a.b": [1, {"c-d": None, "@e": 2}]}),
        ('data."a.b"', [1, {"c-d": None, "@e": 2}]),
        ('data."a.b"[0]', 1),
        ('data."a.b".1.@e', 2),
        ('data."a.b"[1].c-d', None),
        ('data."a.b"[7]', None),
        ('data."a.b"[99999999999999999999]', None),
        ("$f", 0),
        ("$f.x.y", None),
        ("nothing.at.all", None),
        ('data."a.b"[?"@e"]."@e" | [0]', None),
        ("keys(@)", ["data", "$f"]),
    ],
)
def test_a_place_in_json(path, found):
    value = {"data": {"a.b": [1, {"c-d": None, "@e": 2}]}, "$f": 0}
    if "?" in path:
        found = 2
    assert compile_path(path)(value) == found


PLAIN = st.none() | st.booleans() | st.integers() | st.text()


JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@given(st.text() | st.lists(st.sampled_from([*'abc.[]*"@|?&`(){}:01 ', "length(", "data"])).map("".join), JSON)
def test_any_place_is_found_or_refused_in_one_line(path, value):
    try:
        compile_path(path)(value)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either will do


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b-c.@d.$e", ("a", "b-c", "@d", "$e")),
        ('a."b.c"[3].d', ("a", "b.c", "3", "d")),
        ("a[*]", None),
        ("a..b", None),
        ("[0]", None),
        ("a | b", None),
    ],
)
def test_the_keys_of_a_dotted_path(path, keys):
    assert parse_keys(path) == keys


def test_an_index_counts_in_lists_and_a_key_in_objects_only():
    assert get_path({"0": "a"}, ["0"]) == "a"
    assert get_path(["a"], ["0"]) == "a"
    assert get_path(["a"], ["a"]) is None
    assert get_path(["a"], ["-1"]) is None
    assert get_path("text", ["0"]) is None


def test_without_jmespath_only_dotted_paths_are_understood(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    compile_path.cache_clear()
    assert compile_path("a.b")({"a": {"b": 1}}) == 1
    with pytest.raises(ValueError, match=r"'a\[\*\]' is not a dotted path; for JMESPath: pip install"):
        compile_path("a[*]")
