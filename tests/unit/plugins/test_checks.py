"""Checks of items by classes and by JSON Schemas."""

from __future__ import annotations

import builtins
import dataclasses
import enum
import json
from typing import Annotated, TypedDict

import attrs
import msgspec
import pytest
from crawler_plugins.checks import check_by_model, check_by_schema
from pydantic import BaseModel, Field

from crawler import ConfigError


class Kind(enum.Enum):
    PAPER = "paper"


class Author(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Struct(msgspec.Struct):
    title: str
    price: Annotated[float, msgspec.Meta(ge=0)]
    tags: list[str] = []
    author: Author | None = None
    kind: Kind | None = None


@attrs.frozen
class Attrs:
    title: str
    price: float = attrs.field(validator=attrs.validators.ge(0))


@dataclasses.dataclass
class Data:
    title: str
    price: float


class Typed(TypedDict):
    title: str
    price: float


class Model(BaseModel):
    title: str
    price: float = Field(ge=0)
    tags: list[str] = []


SCHEMA = {
    "type": "object",
    "required": ["title", "price"],
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number", "minimum": 0},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        "published": {"type": "string", "format": "date"},
    },
    "$defs": {"tag": {"type": "string"}},
}


def words(problems):
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("model", [Struct, Attrs, Data, Typed, Model])
def test_a_class_of_each_kind_finds_missing_and_invalid_fields(model):
    check = check_by_model(model)
    assert check({"title": "a", "price": 1.5}) == []
    assert words(check({"price": 1.5})) == ["title: missing"]
    (wrong,) = check({"title": "a", "price": "free"})
    assert wrong.field == "price"
    assert "free" not in wrong.reason


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"tags": ["x", 3]}, "tags[]: Expected `str`, got `int`"),
        ({"author": {}}, "author.name: missing"),
        ({"author": {"name": "a", "born": 1}}, "author: unknown field"),
        ({"price": -1}, "price: Expected `float` >= 0.0"),
        ({"kind": "stone' - at `$.x"}, "kind: Invalid enum value …"),
    ],
)
def test_the_path_and_the_reason_of_a_problem_are_those_of_msgspec(part, expected):
    assert words(check_by_model(Struct)({"title": "a", "price": 1} | part)) == [expected]


def test_a_validator_of_attrs_fails_the_item_as_a_whole():
    (problem,) = check_by_model(Attrs)({"title": "a", "price": -1})
    assert problem.field == "item"


def test_pydantic_reports_every_problem():
    found = words(check_by_model(Model)({"price": -1, "tags": [1, 2]}))
    assert found == ["title: missing", "price: greater_than_equal", "tags[]: string_type", "tags[]: string_type"]


def test_another_class_is_refused():
    with pytest.raises(ConfigError, match="validate: int must be a pydantic model, an attrs class"):
        check_by_model(int)


def test_a_schema_reports_every_problem(tmp_path):
    path = tmp_path / "book.json"
    path.write_text(json.dumps(SCHEMA))
    check = check_by_schema(path)
    assert check({"title": "a", "price": 2, "published": "2030-01-02"}) == []
    found = words(check({"price": -1, "tags": ["a", 1], "published": "soon"}))
    assert sorted(found) == ["price: minimum", "published: format", "tags[]: type", "title: missing"]
    assert len(check({"title": "a", "price": 1, "tags": [1] * 1000})) == 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "is not JSON"),
        ("[]", "it must be an object"),
        ('{"type": "text"}', "is not a valid JSON Schema"),
        ('{"$ref": "https://schemas.test/book"}', "refers to https://schemas.test/book, which it does not contain"),
        ('{"properties": {"a": {"$ref": "#/$defs/b"}}}', "refers to #/$defs/b"),
        ('{"$ref": "other.json"}', "refers to other.json"),
        ('{"not":' * 2000 + "{}" + "}" * 2000, "nested too deeply"),
    ],
)
def test_a_bad_schema_is_refused_in_one_line(tmp_path, text, expected):
    path = tmp_path / "book.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_by_schema(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reference_by_the_name_of_a_part_is_found(tmp_path):
    path = tmp_path / "book.json"
    parts = {"tag": {"$id": "tag", "type": "string"}}
    path.write_text(json.dumps({"$id": "https://x.test/book", "$defs": parts, "properties": {"a": {"$ref": "tag"}}}))
    assert words(check_by_schema(path)({"a": 1})) == ["a: type"]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read .*no such file"):
        check_by_schema(tmp_path / "book.json")


def test_the_missing_extra_is_named_with_its_command(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "jsonschema":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'trio-crawler\[jsonschema\]'"):
        check_by_schema(tmp_path / "book.json")
