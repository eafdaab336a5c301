"""Items of every kind that Scrapy takes."""

from __future__ import annotations

import dataclasses

import attrs
import scrapy
from itemloaders.processors import Compose, Identity, Join, MapCompose, TakeFirst
from scrapy.loader import ItemLoader


def digits(text: str) -> str:
    """Return the digits and the point of a price."""
    return "".join(character for character in text if character.isdigit() or character == ".")


class Product(scrapy.Item):
    """An item with a serializer and processors on its fields."""

    url = scrapy.Field()
    name = scrapy.Field(output_processor=TakeFirst())
    price = scrapy.Field(serializer=lambda value: f"EUR {value}")
    sizes = scrapy.Field(input_processor=MapCompose(str.strip, str.lower), output_processor=Identity())
    note = scrapy.Field()


@dataclasses.dataclass
class Quote:
    """A dataclass item."""

    text: str
    author: str = ""


@attrs.define
class Page:
    """An attrs item."""

    url: str
    number: int = 0


class ProductLoader(ItemLoader):
    """A loader with processors of its own."""

    default_item_class = Product
    default_output_processor = TakeFirst()
    name_in = MapCompose(str.strip)
    price_in = MapCompose(digits)
    price_out = Compose(TakeFirst(), float)
    note_out = Join(" | ")
