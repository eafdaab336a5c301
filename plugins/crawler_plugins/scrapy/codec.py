"""`encode` and `decode`: Python values of requests in a form that survives JSON, so that jobs can keep them.

JSON values stand for themselves. Any other value is an object with one key that begins with ``$``::

    {"$date": "2026-01-31"}    {"$tuple": [1, 2]}    {"$item": ["shop.items:Book", {"title": "…"}]}
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import importlib
import math
import uuid
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Final

import attrs
from itemadapter import ItemAdapter, is_item

__all__ = ["decode", "encode"]

PLAIN: Final = (str, bool, type(None))
MAX_INT: Final = 2**63
SCALARS: Final[dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]] = {
    dt.datetime: ("$datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ("$date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("$time", dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (
        "$timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: dt.timedelta(*parts),
    ),
    decimal.Decimal: ("$decimal", str, decimal.Decimal),
    uuid.UUID: ("$uuid", str, uuid.UUID),
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode(), base64.b64decode),
    complex: ("$complex", lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
}
"""Types with their tag, and the functions to a JSON value and back."""
COLLECTIONS: Final[dict[type, str]] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}
BY_TAG: Final[dict[str, Callable[[Any], Any]]] = {tag: back for tag, _, back in SCALARS.values()}
BY_COLLECTION_TAG: Final = {tag: kind for kind, tag in COLLECTIONS.items()}


def encode(value: Any, where: str = "value") -> Any:  # noqa: PLR0911 - one type after the other
    """Return a value as JSON values.

    Parameters:
        value: The value.
        where: Its name in errors, such as ``cb_kwargs``.

    Raises:
        TypeError: A part of it has no form in JSON; the message names the part.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is int:
        return value if -MAX_INT <= value < MAX_INT else {"$int": str(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return [encode(part, f"{where}[{place}]") for place, part in enumerate(value)]
    if kind is dict:
        return _encode_dict(value, where)
    if kind in SCALARS:
        tag, to_json, _ = SCALARS[kind]
        return {tag: to_json(value)}
    if kind in COLLECTIONS:
        return {COLLECTIONS[kind]: [encode(part, f"{where}[…]") for part in value]}
    if isinstance(value, str):  # lxml and CrawlSpider have texts of their own types
        return str.__str__(value)
    if isinstance(value, PurePath):
        return {"$path": str(value)}
    name = f"{kind.__module__}:{kind.__qualname__}"
    if "<locals>" not in name and not isinstance(value, dict) and is_item(value):
        fields = ItemAdapter(value)
        return {"$item": [name, {key: encode(part, f"{where}.{key}") for key, part in fields.items()}]}
    raise TypeError(f"{where} is a {kind.__qualname__}, which has no form in JSON")


def _encode_dict(value: dict[Any, Any], where: str) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: encode(part, f"{where}[{key!r}]") for key, part in value.items()}
    pairs = [[encode(key, f"a key of {where}"), encode(part, f"{where}[{key!r}]")] for key, part in value.items()]
    return {"$dict": pairs}


def decode(value: Any) -> Any:
    """Return the value that `encode` wrote.

    Raises:
        TypeError: It names a class that is not one of items.
        ImportError, AttributeError: It names a class that no longer exists.
    """
    if isinstance(value, list):
        return [decode(part) for part in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if len(value) != 1 or not tag.startswith("$"):
        return {key: decode(part) for key, part in value.items()}
    content = value[tag]
    if tag in BY_TAG:
        return BY_TAG[tag](content)
    if tag in BY_COLLECTION_TAG:
        return BY_COLLECTION_TAG[tag](decode(part) for part in content)
    return OTHERS[tag](content)


def _item(content: list[Any]) -> Any:
    """Return an item of a class that is one of items: no other code is called."""
    module, _, name = content[0].partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not (isinstance(found, type) and ItemAdapter.is_item_class(found)):
        raise TypeError(f"{content[0]} is not a class of items")
    fields = {key: decode(part) for key, part in content[1].items()}
    if not (dataclasses.is_dataclass(found) or attrs.has(found)):
        return found(fields) if not hasattr(found, "model_fields") else found(**fields)
    item = found.__new__(found)  # as it was: `__init__` may compute fields
    for key, part in fields.items():
        object.__setattr__(item, key, part)
    return item


OTHERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$int": int,
    "$float": float,
    "$dict": lambda pairs: {decode(key): decode(part) for key, part in pairs},
    "$item": _item,
    "$path": Path,
}
