"""Values of subclasses of built-in types are written as those of the types themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from crawler.content.plain_values import plain_value

VALUES = [
    "text", 4, 1.5, b"\xff", bytearray(b"\xff"), Decimal("1.10"), datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
    date(2030, 1, 2), time(1, 2, 3, 4), timedelta(days=-1, seconds=2),
]  # fmt: skip


def of_a_subclass(value: Any) -> Any:
    """Return an equal value of a subclass of its type."""
    kind: Any = type("Sub", (type(value),), {"__str__": lambda self: "shown", "__repr__": lambda self: "shown"})
    if isinstance(value, datetime):
        return kind.combine(value.date(), value.timetz())
    if isinstance(value, date):
        return kind(value.year, value.month, value.day)
    if isinstance(value, time):
        return kind(value.hour, value.minute, value.second, value.microsecond)
    return kind(days=value.days, seconds=value.seconds) if isinstance(value, timedelta) else kind(value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_a_subclass_is_written_as_one_of_its_base(value: Any) -> None:
    sub = of_a_subclass(value)
    with pytest.raises(TypeError):
        msgspec.json.encode(sub)
    assert msgspec.json.encode(sub, enc_hook=plain_value) == msgspec.json.encode(value)


def test_a_model_is_dumped_and_its_class_is_refused() -> None:
    class Model(pydantic.BaseModel):
        url: pydantic.HttpUrl

    assert plain_value(Model(url="https://site.test/")) == {"url": "https://site.test/"}
    with pytest.raises(TypeError, match="Encoding objects of type ModelMetaclass is unsupported"):
        plain_value(Model)


@pytest.mark.parametrize("key", [True, None, (1, 2), frozenset([1])], ids=repr)
def test_keys_that_json_does_not_have_are_named_as_keys(key: Any) -> None:
    with pytest.raises(TypeError) as plain:
        msgspec.json.encode({key: 1})
    with pytest.raises(TypeError) as hooked:
        msgspec.json.encode({key: 1}, enc_hook=plain_value)
    assert str(hooked.value) == str(plain.value)


def test_other_values_are_refused_by_the_name_of_their_type() -> None:
    with pytest.raises(TypeError, match="Encoding objects of type complex is unsupported"):
        plain_value(1j)
