"""Fields of items: dicts, attrs classes, dataclasses, msgspec Structs and pydantic models."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import msgspec

from crawler import Item

__all__ = ["has_field", "links_of", "with_field"]


def has_field(item: Item, fields: tuple[str, ...]) -> bool:
    """Return whether an item has one of these fields, be it empty."""
    return any(name in item if isinstance(item, dict) else hasattr(item, name) for name in fields)


def links_of(item: Item, fields: tuple[str, ...]) -> list[Any]:
    """Return the values of some fields in order, without repeats. A field is a value, a list of values, or missing."""
    found: list[Any] = []
    seen: set[str] = set()
    for name in fields:
        value = item.get(name) if isinstance(item, dict) else getattr(item, name, None)
        if value is None:
            continue
        for link in (value,) if isinstance(value, str) or not isinstance(value, (list, tuple)) else value:
            if not isinstance(link, str):
                found.append(link)
            elif link not in seen:
                seen.add(link)
                found.append(link)
    return found


def with_field(item: Item, name: str, value: Any) -> Item:
    """Return a copy of an item with another value of a field. A dict may get a new field.

    Raises:
        TypeError: The class of the item has no such field.
    """
    if isinstance(item, dict):
        return {**item, name: value}
    if not hasattr(item, name):
        raise TypeError(f"{type(item).__name__} has no field {name!r}: add it, or choose another one by the option")
    if isinstance(item, msgspec.Struct):
        return msgspec.structs.replace(item, **{name: value})
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return dataclasses.replace(item, **{name: value})
    if attrs.has(type(item)):
        return attrs.evolve(item, **{name: value})
    return item.model_copy(update={name: value})
