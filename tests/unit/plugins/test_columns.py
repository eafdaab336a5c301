"""Columns: no value is lost or changed, whatever items hold, and parts of a table can be read together."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from crawler_plugins.outputs.columns import RESCUED, fitted, learn, schema_of, table_of, types_of
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | st.text(max_size=3)
values |= st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=2), values, max_size=2)
items = st.lists(st.dictionaries(st.sampled_from(["a", "b", "", RESCUED]), values, max_size=3), max_size=6)


def item_of(types, row):
    """Return the item that a row of a table was made from, without fields that are null."""
    item = {name: value for name, value in row.items() if value is not None and name != RESCUED}
    item = {name: json.loads(value) if types[name] == "json" else value for name, value in item.items()}
    return item | json.loads(row.get(RESCUED) or "{}")


@given(items, items)
def test_all_values_come_back_from_two_parts_that_are_read_together(first, second):
    before = learn({}, first)
    types = learn(before, second)
    one, two = fitted(table_of(before, first), types), table_of(types, second)
    rows = pa.concat_tables([one, two]).to_pylist()
    expected = [{name: value for name, value in item.items() if value is not None} for item in first + second]
    assert [item_of(types, row) for row in rows] == expected


@given(items, st.integers(0, 6))
def test_learned_types_do_not_depend_on_the_ends_of_parts(rows, end):
    has_values = any(value is not None for row in rows[:end] for value in row.values())
    assert learn(learn({}, rows[:end]), rows[end:]) == learn({} if has_values else learn({}, []), rows)


def test_a_column_has_the_type_of_its_first_value():
    item = {"flag": True, "number": 1, "price": 1.5, "text": "x", "list": [1], "none": None}
    schema = schema_of(learn({}, [item]))
    assert {field.name: str(field.type) for field in schema} == {
        "flag": "bool",
        "number": "int64",
        "price": "double",
        "text": "string",
        "list": "string",
    }


def test_whole_numbers_become_fractions_only_if_a_double_holds_them():
    assert learn({}, [{"n": 1}, {"n": 1.5}]) == {"n": "double"}
    assert learn({}, [{"n": 2**53 + 1}, {"n": 1.5}]) == {"n": "wide", RESCUED: "string"}


def test_the_types_are_read_back_from_a_schema():
    types = learn({}, [{"a": 1, "b": [], "c": "x", "d": 2**60, "e": False, "f": 0.5}])
    assert types_of(schema_of(types)) == types


def test_a_file_of_another_program_has_whole_numbers_of_unknown_size():
    assert types_of(pa.schema([("n", pa.int64()), ("s", pa.string())])) == {"n": "wide", "s": "string"}
    with pytest.raises(ValueError, match="its column 'when' has the type timestamp"):
        types_of(pa.schema([("when", pa.timestamp("s"))]))
