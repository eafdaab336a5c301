"""`encode` and `decode`: values of requests survive JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import uuid
from pathlib import Path

import attrs
import pytest
import scrapy
from crawler_plugins.scrapy.codec import decode, encode
from support.cases import each


class Book(scrapy.Item):
    title = scrapy.Field()
    tags = scrapy.Field()


@dataclasses.dataclass
class Page:
    number: int
    seen: dt.date


@attrs.frozen
class Place:
    name: str


VALUES = [
    None,
    True,
    1,
    1.5,
    "text",
    [1, "a"],
    {"a": {"b": 1}},
    2**70,
    float("inf"),
    dt.date(2026, 1, 31),
    dt.datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=dt.UTC),
    dt.time(12, 30),
    dt.timedelta(days=1, seconds=2, microseconds=3),
    decimal.Decimal("1.10"),
    uuid.UUID(int=7),
    b"\xff\x00",
    1 + 2j,
    (1, (2, "x")),
    {1, 2},
    frozenset({"a"}),
    {1: "a", (2, 3): "b"},
    {"$date": "no date"},
    Path("a/b"),
    Page(3, dt.date(2026, 1, 31)),
    Place("here"),
    {"deep": [Page(1, dt.date(2026, 2, 1)), {"set": {1}}]},
]


@each("value", VALUES)
def test_a_value_survives(value):
    again = decode(json.loads(json.dumps(encode(value))))
    assert again == value
    assert type(again) is type(value) or isinstance(value, Path)


def test_an_item_survives_with_its_class():
    again = decode(json.loads(json.dumps(encode(Book(title="T", tags={"a"})))))
    assert type(again) is Book
    assert dict(again) == {"title": "T", "tags": {"a"}}


def test_a_text_of_another_type_becomes_plain():
    class Smart(str):
        __slots__ = ()

    assert type(encode(Smart("a"))) is str


def test_a_value_without_a_form_is_named_with_its_place():
    with pytest.raises(TypeError, match=r"cb_kwargs\['page'\]\[0\] is a object, which has no form in JSON"):
        encode({"page": [object()]}, "cb_kwargs")


def test_only_classes_of_items_are_created():
    with pytest.raises(TypeError, match="os:system is not a class of items"):
        decode({"$item": ["os:system", {}]})
