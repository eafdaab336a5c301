"""Items from pages by `css()` and `xpath()`: CPU time of this framework and of parsel, which Scrapy uses.

::

    python tests/bench/selector_cost.py

Each page is parsed and read as spiders do it: a loop over the elements of a list, some fields of each, as a dictionary.
Microseconds of CPU a page, medians of 7 alternating rounds. The items of both must be equal.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import parsel

from crawler import Response

ROUNDS, TURNS = 7, 10

Items = list[dict[str, Any]]
Read = Callable[[Any], Items]


def quotes_page() -> str:
    """A list of 50 quotes: short texts in a few elements each."""
    quote = (
        '<div class="quote"><span class="text">Text {0}</span><span>by <small class="author">Author {0}</small></span>'
        '<div class="tags"><a class="tag" href="/tag/{0}">tag {0}</a> <a class="tag" href="/all">all</a></div></div>'
    )
    return "<title>Quotes</title>" + "\n".join(quote.format(number) for number in range(50))


def table_page() -> str:
    """A table of 200 rows with four cells each."""
    row = '<tr><td><a href="/p/{0}">Part {0}</a><td class="n">{0}<td class="price">{0}.50<td>in stock'
    return "<title>Parts</title><table><tbody>" + "\n".join(row.format(number) for number in range(200)) + "</table>"


def article_page() -> str:
    """A page of 30 kB with one item."""
    paragraphs = "\n".join(
        f"<p>Paragraph {number}, <b>bold</b> and <a href='/{number}'>linked</a>." * 4 for number in range(60)
    )
    return (
        f"<title>Article</title><h1>Head</h1><p class=by>Author<p class=date>2026-01-01<article>{paragraphs}</article>"
    )


def quotes_css(page: Any) -> Items:
    return [
        {
            "text": quote.css(".text::text").get(),
            "author": quote.css("small.author::text").get(),
            "tags": quote.css("a.tag::text").getall(),
            "url": quote.css("a::attr(href)").get(),
        }
        for quote in page.css("div.quote")
    ]


def quotes_xpath(page: Any) -> Items:
    return [
        {
            "text": quote.xpath('.//span[@class="text"]/text()').get(),
            "author": quote.xpath('.//small[@class="author"]/text()').get(),
            "tags": quote.xpath('.//a[@class="tag"]/text()').getall(),
            "url": quote.xpath(".//a/@href").get(),
        }
        for quote in page.xpath('//div[@class="quote"]')
    ]


def table_css(page: Any) -> Items:
    return [
        {
            "name": row.css("a::text").get(),
            "url": row.css("a").attrib["href"],
            "number": row.css("td.n::text").get(),
            "price": row.css("td.price::text").get(),
        }
        for row in page.css("table tr")
    ]


def table_xpath(page: Any) -> Items:
    return [
        {
            "name": row.xpath("td[1]/a/text()").get(),
            "url": row.xpath("td[1]/a/@href").get(),
            "number": row.xpath("td[2]/text()").get(),
            "price": row.xpath("td[3]/text()").get(),
        }
        for row in page.xpath("//tr")
    ]


def article_css(page: Any) -> Items:
    return [
        {
            "title": page.css("h1::text").get(),
            "author": page.css("p.by::text").get(),
            "date": page.css("p.date::text").get(),
            "links": page.css("article a::attr(href)").getall(),
        }
    ]


def article_xpath(page: Any) -> Items:
    return [
        {
            "title": page.xpath("//h1/text()").get(),
            "author": page.xpath('//p[@class="by"]/text()').get(),
            "date": page.xpath('//p[@class="date"]/text()').get(),
            "links": page.xpath("//article//a/@href").getall(),
        }
    ]


CASES: list[tuple[str, str, Read]] = [
    ("50 quotes, css", quotes_page(), quotes_css),
    ("50 quotes, xpath", quotes_page(), quotes_xpath),
    ("200 rows, css", table_page(), table_css),
    ("200 rows, xpath", table_page(), table_xpath),
    ("one article, css", article_page(), article_css),
    ("one article, xpath", article_page(), article_xpath),
]


def ours(body: bytes, read: Read) -> Items:
    """Return the items of a page by our response."""
    headers = {"Content-Type": "text/html; charset=utf-8"}
    return read(Response("https://site.example/", status=200, headers=headers, body=body))


def theirs(body: bytes, read: Read) -> Items:
    """Return the items of a page by parsel."""
    return read(parsel.Selector(text=body.decode()))


def cost(way: Callable[[bytes, Read], Items], body: bytes, read: Read) -> float:
    """Return the microseconds of CPU for one page."""
    begun = time.process_time()
    for _ in range(TURNS):
        way(body, read)
    return (time.process_time() - begun) / TURNS * 1e6


def main() -> None:
    """Measure and print."""
    print(f"{'page':20} {'crawler':>9} {'parsel':>9}   times as fast")
    for name, page, read in CASES:
        body = page.encode()
        assert ours(body, read) == theirs(body, read), name
        rounds = [(cost(ours, body, read), cost(theirs, body, read)) for _ in range(ROUNDS)]
        mine, parsels = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:20} {mine:6.0f} us {parsels:6.0f} us   {parsels / mine:.1f}")


if __name__ == "__main__":
    main()
