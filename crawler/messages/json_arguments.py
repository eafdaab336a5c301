"""Arguments of `Request` whose values survive JSON, such as `meta`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crawler.messages.checks import require_text, require_type, type_name
from crawler.redaction import redact_field


def json_dict(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `value` as a dict if it survives a round trip through JSON unchanged."""
    if value is None:
        return {}
    for key, part in require_type(Mapping, name, value).items():
        require_text(f"a name in {name}", key)
        if not survives_json(plain_text(part)):
            shown = redact_field(key, repr(part))
            raise TypeError(f"{name}[{key!r}] does not survive JSON: {shown} ({type_name(part)})")
    return {key: plain_text(part) for key, part in value.items()}


def plain_text(value: Any) -> Any:
    """Return text of a subclass of `str`, such as Beautiful Soup and lxml return, as `str`. Members of an enum stay."""
    if isinstance(value, str) and type(value) is not str and not hasattr(value, "_value_"):
        return str.__str__(value)
    return value


def is_json(value: Any) -> bool:
    """Return whether `value` can be written as JSON, whether or not reading returns the same value."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def survives_json(value: Any) -> bool:
    """Return whether `value` survives a round trip through JSON unchanged."""
    try:
        return is_same(msgspec.json.decode(msgspec.json.encode(value)), value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and have equal types at every level."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
