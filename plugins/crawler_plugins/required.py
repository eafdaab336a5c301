"""`Required`: drop items without their required fields."""

from __future__ import annotations

from crawler import ConfigError, Drop, Item, Plugin, Response
from crawler_plugins.item_fields import fields_of

__all__ = ["Required"]


class Required(Plugin):
    """Drops items in which a required field is missing, `None` or an empty string. The report counts them by field.

    Parameters:
        fields: Names of the required fields; on the command line ``-P required.fields=title,price``.

    Raises:
        ConfigError: `fields` is empty, or a name is.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        if not fields or not all(fields):
            raise ConfigError("required: fields must name at least one field, as in title,price")
        self.fields = fields

    async def refine(self, item: Item, response: Response) -> Drop | None:
        """Drop the item if a field is missing."""
        values = fields_of(item)
        for name in self.fields:
            if values.get(name) in (None, ""):
                return Drop(f"without {name}")
        return None
