"""First lines of books."""

import scrapy
from scrapy.loader import ItemLoader
from scrapy.loader.processors import MapCompose, TakeFirst


class Line(scrapy.Item):
    """The first line of a book."""

    text = scrapy.Field(input_processor=MapCompose(str.strip), output_processor=TakeFirst())
    author = scrapy.Field(output_processor=TakeFirst())


class Quotes(scrapy.Spider):
    """The first lines of the bookshop."""

    name = "quotes"

    def __init__(self, start="http://127.0.0.1:8765/quotes/", **kwargs):
        super().__init__(**kwargs)
        self.first = start

    def start_requests(self):
        yield scrapy.Request(self.first, self.parse)

    def parse(self, response):
        for quote in response.css("div.quote"):
            loader = ItemLoader(Line(), quote)
            loader.add_css("text", ".text::text")
            loader.add_css("author", ".author::text")
            yield loader.load_item()
        yield from response.follow_all(css="li.next a")
