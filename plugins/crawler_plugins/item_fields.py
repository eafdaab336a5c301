"""Functions that read the fields of items: dicts, pydantic models, and instances of attrs, msgspec or data classes."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import msgspec

from crawler import Item

__all__ = ["fields_of", "is_empty", "json_fields_of", "type_of"]


def fields_of(item: Item) -> dict[str, Any]:
    """Return the fields of an item. A dict is returned as it is."""
    if isinstance(item, dict):
        return item
    dump = getattr(item, "model_dump", None)
    values: dict[str, Any] = dump() if dump is not None else msgspec.to_builtins(item, enc_hook=_plain)
    names = [field.name for field in getattr(type(item), "__attrs_attrs__", ())]  # msgspec sorts those of slots
    return {name: values[name] for name in names if name in values} | values if names else values


def json_fields_of(item: Item) -> dict[str, Any]:
    """Return the fields of an item as the JSON values that outputs write.

    Raises:
        TypeError: A field has no form in JSON.
    """
    values: dict[str, Any] = msgspec.to_builtins(fields_of(item), str_keys=True, enc_hook=_plain)
    return values


def is_empty(value: Any) -> bool:
    """Return whether a field holds nothing: `None`, a text without visible characters, or an empty list or dict."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, tuple, dict)) and not value)


def type_of(item: Item) -> str:
    """Return the name of an item's class; ``item`` for a dict."""
    return "item" if type(item) is dict else type(item).__name__


def _plain(value: Any) -> Any:
    """Return the value that outputs write for one of a subclass of a built-in type, or for a model in an item.

    Raises:
        TypeError: JSON has no form for it.
    """
    if isinstance(value, (bool, tuple, frozenset, type(None))):  # a key of a dict; as values, msgspec knows them
        raise TypeError("Only dicts with str-like or number-like keys are supported")
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Decimal):
        return str(Decimal(value))
    if isinstance(value, (date, time)):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
