"""Items and item loaders."""

from __future__ import annotations

import scrapy
from itemadapter import ItemAdapter
from itemloaders.processors import Join, MapCompose, TakeFirst
from scrapy.loader import ItemLoader

from corpus.items import Page, Product, ProductLoader, Quote

SHOP = "https://shop.test"


class Loaders(scrapy.Spider):
    name = "loaders"
    start_urls = [f"{SHOP}/item/3"]

    def parse(self, response):
        loader = ProductLoader(response=response)
        loader.add_css("name", "h1::text")
        loader.add_xpath("price", "//p[@class='price']/text()")
        loader.add_css("sizes", "li::text")
        loader.add_value("url", response.url)
        loader.add_value("note", ["a", "b"])
        nested = loader.nested_css("div.desc")
        nested.add_css("note", "::text")
        loader.replace_value("url", "replaced")
        yield loader.load_item()
        plain = ItemLoader(item={}, selector=response.css("ul")[0])
        plain.add_css("sizes", "li::text", MapCompose(str.strip), re=r"\w")
        plain.add_value("none", None)
        plain.default_output_processor = Join("-")
        yield plain.load_item()
        quote = ItemLoader(item=Quote(text=""), response=response)
        quote.text_out = TakeFirst()
        quote.author_out = TakeFirst()
        quote.add_css("text", "b::text")
        quote.add_value("author", "me")
        yield {
            "value": quote.get_css("h1::text", TakeFirst(), str.strip),
            "collected": quote.get_collected_values("text"),
        }
        yield quote.load_item()


class Items(scrapy.Spider):
    name = "items"
    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        product = Product(name="n", price=5)
        product["url"] = response.url
        yield product.copy()
        try:
            product["unknown"] = 1
        except KeyError as error:
            yield {"error": str(error), "fields": sorted(product.fields)}
        adapter = ItemAdapter(Page(url=response.url))
        adapter["number"] = 2
        yield adapter.item
        yield {"asdict": ItemAdapter(Quote("t")).asdict(), "get": product.get("sizes", "none")}
        product["note"] = {"deep": Quote("t", "a")}
        yield product
