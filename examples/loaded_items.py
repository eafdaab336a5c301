"""Items of annotated values, made by plain functions in place of an ItemLoader: python loaded_items.py."""

from dataclasses import dataclass

from crawler import Response
from crawler.html import SelectorList


@dataclass
class Book:
    """A book of the shop."""

    title: str
    price: float
    tags: list[str]


def first(found: SelectorList) -> str:
    """TakeFirst and MapCompose(str.strip)."""
    return next(filter(None, (text.strip() for text in found.getall())), "")


def number(text: str) -> float:
    """MapCompose(float)."""
    return float(text.removeprefix("£").replace(",", ""))


def book(response: Response) -> Book:
    """Return the book of a page."""
    return Book(
        title=first(response.css("h1::text")),
        price=number(first(response.css("dt:contains('Price') + dd::text"))),
        tags=response.css("ul.tags a::text").getall(),
    )


if __name__ == "__main__":
    page = """<h1> Dune </h1><dl><dt>Price</dt><dd>£1,005.50</dd></dl><ul class=tags><li><a>classic</a></ul>"""
    print(book(Response("https://books.example/1", body=page)))
