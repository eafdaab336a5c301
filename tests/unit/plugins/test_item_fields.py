"""The fields of items of all classes."""

from __future__ import annotations

import dataclasses
import datetime
import decimal

import attrs
import msgspec
import pytest
from crawler_plugins.item_fields import fields_of, is_empty, json_fields_of, type_of
from pydantic import BaseModel

DAY = datetime.date(2030, 1, 2)


@attrs.frozen
class Attrs:
    day: datetime.date


@dataclasses.dataclass
class Data:
    day: datetime.date


class Struct(msgspec.Struct):
    day: datetime.date


class Model(BaseModel):
    day: datetime.date


@pytest.mark.parametrize("kind", [Attrs, Data, Struct, Model, dict])
def test_the_json_fields_of_every_class_of_item_are_those_of_its_output(kind):
    assert json_fields_of(kind(day=DAY)) == {"day": "2030-01-02"}
    assert list(fields_of(kind(day=DAY))) == ["day"]


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Fraction(float):
    pass


class Price(decimal.Decimal):
    pass


class Day(datetime.date):
    pass


def test_values_of_subclasses_and_models_are_those_of_the_output():
    item = {
        "a": Text("x"), "b": [Number(4), Fraction(1.5)], "c": Price("1.10"), "d": Day(2030, 1, 2), "e": Model(day=DAY),
    }  # fmt: skip
    assert json_fields_of(item) == {"a": "x", "b": [4, 1.5], "c": "1.10", "d": "2030-01-02", "e": {"day": "2030-01-02"}}
    assert fields_of(Data(day=Text("x"))) == {"day": "x"}


def test_fields_of_attrs_classes_keep_their_order():
    @attrs.define
    class Book:
        title: str = "Emma"
        author: str = "Jane Austen"

    assert list(fields_of(Book())) == list(json_fields_of(Book())) == ["title", "author"]


def test_a_field_without_a_form_in_json_is_refused():
    with pytest.raises(TypeError):
        json_fields_of({"x": object()})
    with pytest.raises(TypeError, match="Only dicts with str-like or number-like keys are supported"):
        json_fields_of({"x": {True: 1}})


@pytest.mark.parametrize("value", [None, "", " \n", [], (), {}])
def test_a_value_is_empty(value):
    assert is_empty(value)


@pytest.mark.parametrize("value", [0, False, 0.0, "x", [None], {"a": None}])
def test_a_value_is_not_empty(value):
    assert not is_empty(value)


def test_a_type_is_named_after_its_class():
    assert (type_of({}), type_of(Attrs(DAY))) == ("item", "Attrs")
