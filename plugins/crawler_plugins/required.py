"""`Required`: drops items that lack what they must have."""

from __future__ import annotations

from typing import Any

import msgspec

from crawler import ConfigError, Drop, Item, Plugin, Response

__all__ = ["Required"]


class Required(Plugin):
    """Drops each item in which one of `fields` is missing, `None`, or empty text; the report counts them by field.

    Parameters:
        fields: names, from the command line as ``-P required.fields=title,price``.

    Raises:
        ConfigError: there are none.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        if not fields or not all(fields):
            raise ConfigError("required: name at least one field")
        self.fields = fields

    async def refine(self, item: Item, response: Response) -> Drop | None:
        """Looks at the item as it will be written."""
        values: dict[str, Any] = item if isinstance(item, dict) else _fields(item)
        for name in self.fields:
            if values.get(name) in (None, ""):
                return Drop(f"without {name}")
        return None


def _fields(item: Item) -> dict[str, Any]:
    dump = getattr(item, "model_dump", None)
    values: dict[str, Any] = dump() if dump is not None else msgspec.to_builtins(item)
    return values
