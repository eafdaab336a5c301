"""Every kind of item becomes one JSON object, with its fields in their order."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from crawler.engine.item_json import describe_bad_field, encode_item


@attrs.frozen
class Attrs:
    n: int = 1


@dataclasses.dataclass
class Data:
    n: int = 1


class Struct(msgspec.Struct):
    n: int = 1


class Model(pydantic.BaseModel):
    n: int = 1


@attrs.define
class Book:
    title: str = "Emma"
    price: Any = 2
    author: str = "Jane Austen"
    _found: int = 3
    unset: int = attrs.field(init=False)


@dataclasses.dataclass
class Shelf:
    name: str
    place: Any


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("item", [{"n": 1}, Attrs(), Data(), Struct(), Model()])
def test_an_item_becomes_a_json_object(item: Any) -> None:
    assert encode_item(item) == b'{"n":1}'


def test_lone_surrogates_are_replaced_wherever_they_are() -> None:
    item = {"a\udcff": ["\ud800", {"b": "c\udfff"}], "n": 1}
    assert json.loads(encode_item(item)) == {"a\ufffd": ["\ufffd", {"b": "c\ufffd"}], "n": 1}


@pytest.mark.parametrize("item", [[1], "text", 3, None])
def test_an_item_must_be_an_object(item: Any) -> None:
    with pytest.raises(TypeError, match=f"an item must be an object, not {type(item).__name__}"):
        encode_item(item)


def test_the_field_that_json_has_no_type_for_is_named() -> None:
    item = {"good": 1, "bad": object(), "worse": object()}
    with pytest.raises(TypeError):
        encode_item(item)
    assert describe_bad_field(item) == "its field 'bad': "
    assert describe_bad_field({"good": 1}) == ""
    assert describe_bad_field(Attrs()) == ""


def test_fields_of_attrs_classes_keep_their_order():
    assert encode_item(Book()) == b'{"title":"Emma","price":2,"author":"Jane Austen"}'
    nested = json.loads(encode_item(Book(price=[Book()])))
    assert list(nested["price"][0]) == ["title", "price", "author"]


def test_values_of_a_subclass_and_models_are_written_wherever_they_are():
    item = {"a": Text("x"), "b": [Text("y"), Model()], Text("c"): {"d": Text("\ud800")}}
    assert json.loads(encode_item(item)) == {"a": "x", "b": ["y", {"n": 1}], "c": {"d": "\ufffd"}}
    assert encode_item(Shelf("a", Model())) == b'{"name":"a","place":{"n":1}}'


@pytest.mark.parametrize("item", [Shelf("a", Path("x")), Book(price=Path("x")), Struct(n=Path("x"))])
def test_the_bad_field_of_an_instance_is_named(item):
    name = {"Shelf": "place", "Book": "price", "Struct": "n"}[type(item).__name__]
    assert describe_bad_field(item) == f"its field {name!r}: "
