"""`encode_item`: an item as JSON, whatever class it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from crawler.content import replace_surrogates
from crawler.messages import Item

__all__ = ["describe_bad_field", "encode_item"]


def encode_item(item: Item) -> bytes:
    """Encode a dict, attrs, dataclass, Struct or pydantic item as a JSON object. Lone surrogates become U+FFFD."""
    dump = getattr(item, "model_dump", None)
    plain = dump(mode="json") if dump is not None else item
    if hasattr(plain, "__attrs_attrs__"):
        plain = _in_order(plain)
    try:
        data = msgspec.json.encode(plain, enc_hook=_plain_value)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(plain, enc_hook=_plain_value)))
    if not data.startswith(b"{"):
        raise TypeError(f"an item must be an object, not {type(item).__name__}")
    return data


def describe_bad_field(item: Item) -> str:
    """Return the first field that cannot be encoded, as the start of a message; empty: there is none."""
    for name, value in _fields(item):
        try:
            encode_item({name: value})
        except Exception:
            return f"its field {name!r}: "
    return ""


def _fields(item: Any) -> Iterable[tuple[Any, Any]]:
    """Return the names and values of an item; nothing for a pydantic model, whose own errors name the field."""
    if isinstance(item, Mapping):
        return item.items()
    kind = type(item)
    names = getattr(kind, "__struct_fields__", None) or getattr(kind, "__dataclass_fields__", None)
    names = names or [field.name for field in getattr(kind, "__attrs_attrs__", ())]
    return [(name, getattr(item, name)) for name in names if hasattr(item, name)]


def _in_order(value: Any) -> Any:
    """Return an attrs instance as a dict in the order of its fields, and values in it likewise.

    A class of attrs has slots, which Python sorts by name, so msgspec would write its fields sorted. A name that begins
    with an underscore is left out, as msgspec leaves it out.
    """
    kind = type(value)
    if kind is list:
        return [_in_order(part) for part in value]
    if not hasattr(kind, "__attrs_attrs__") or hasattr(value, "__dict__"):
        return value
    names = [field.name for field in kind.__attrs_attrs__ if not field.name.startswith("_")]
    return {name: _in_order(getattr(value, name)) for name in names if hasattr(value, name)}


def _plain_value(value: Any) -> Any:
    from crawler.content.plain_values import plain_value  # noqa: PLC0415 - few items need it

    return plain_value(value)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    return value
