"""`Prices`: turn the texts of prices into numbers."""

import re
from typing import Literal

from crawler import ConfigError, Drop, Item, Plugin, Response

__all__ = ["Prices", "parse_price"]

NUMBER = re.compile(r"\d[\d.,'\s]*")


class Prices(Plugin):
    """Turns the texts of prices into numbers: ``£1,299.00`` becomes 1299.0.

    Fields that an item does not have are left out, and those that hold a number stay as they are. The report counts the
    converted fields.

    Parameters:
        fields: Names of the fields.
        then: What to do with an item whose text has no price: ``keep`` it, with `None` in the field, or ``drop`` it.

    Raises:
        ConfigError: There are no fields.
    """

    def __init__(self, *, fields: tuple[str, ...] = ("price",), then: Literal["keep", "drop"] = "keep") -> None:
        if not fields:
            raise ConfigError("prices: give at least one field, such as prices.fields=price")
        self.fields = fields
        self.then = then

    async def refine(self, item: Item, response: Response) -> Item | Drop | None:
        """Convert the prices of an item. Items of other types than dict are not changed."""
        if not isinstance(item, dict):
            return None
        changed = dict(item)
        for field in self.fields:
            if isinstance(item.get(field), str):
                changed[field] = parse_price(item[field])
                if changed[field] is None and self.then == "drop":
                    return Drop(f"no {field}")
                self.crawl.count(f"prices {field}")
        return changed


def parse_price(text: str) -> float | None:
    """Return the first number in a text; `None` without one.

    The last separator is a decimal point, unless three digits follow it: ``1.299,50``, ``1,299``, ``12.5``.
    """
    found = NUMBER.search(text)
    if found is None:
        return None
    number = "".join(character for character in found[0] if character in "0123456789.,").rstrip(".,")
    mark = max(number.rfind("."), number.rfind(","))
    whole, fraction = (number, "0") if mark < 0 or len(number) - mark == 4 else (number[:mark], number[mark + 1 :])
    return float(f"{whole.replace('.', '').replace(',', '')}.{fraction}")
