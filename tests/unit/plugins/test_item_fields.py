"""The fields of items of all classes."""

from __future__ import annotations

import dataclasses
import datetime

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


def test_a_field_without_a_form_in_json_is_refused():
    with pytest.raises(TypeError):
        json_fields_of({"x": object()})


@pytest.mark.parametrize("value", [None, "", " \n", [], (), {}])
def test_a_value_is_empty(value):
    assert is_empty(value)


@pytest.mark.parametrize("value", [0, False, 0.0, "x", [None], {"a": None}])
def test_a_value_is_not_empty(value):
    assert not is_empty(value)


def test_a_type_is_named_after_its_class():
    assert (type_of({}), type_of(Attrs(DAY))) == ("item", "Attrs")
