"""Functions that read the fields of items: dicts, pydantic models, and instances of attrs, msgspec or data classes."""

from __future__ import annotations

from typing import Any

import msgspec

from crawler import Item

__all__ = ["fields_of", "is_empty", "json_fields_of", "type_of"]


def fields_of(item: Item) -> dict[str, Any]:
    """Return the fields of an item. A dict is returned as it is."""
    if isinstance(item, dict):
        return item
    dump = getattr(item, "model_dump", None)
    values: dict[str, Any] = dump() if dump is not None else msgspec.to_builtins(item)
    return values


def json_fields_of(item: Item) -> dict[str, Any]:
    """Return the fields of an item as the JSON values that outputs write.

    Raises:
        TypeError: A field has no form in JSON.
    """
    values: dict[str, Any] = msgspec.to_builtins(fields_of(item), str_keys=True)
    return values


def is_empty(value: Any) -> bool:
    """Return whether a field holds nothing: `None`, a text without visible characters, or an empty list or dict."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, tuple, dict)) and not value)


def type_of(item: Item) -> str:
    """Return the name of an item's class; ``item`` for a dict."""
    return "item" if type(item) is dict else type(item).__name__
