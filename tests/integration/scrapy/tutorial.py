"""Spiders in the manner of Scrapy's tutorial, for crawls that are killed: see `kills`."""

from __future__ import annotations

import scrapy
from scrapy.linkextractors import LinkExtractor
from scrapy.loader import ItemLoader
from scrapy.spiders import CrawlSpider, Rule


class Quotes(scrapy.Spider):
    """The quotes of all pages, by `start_requests` and `response.follow`."""

    name = "quotes"
    tag = ""

    def start_requests(self):
        yield scrapy.Request(f"{self.front}/tag/{self.tag}/" if self.tag else f"{self.front}/", self.parse)

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {
                "text": quote.css("span.text::text").get(),
                "author": quote.xpath("span/small/text()").get(),
                "tags": quote.css("div.tags a.tag::text").getall(),
            }
        next_page = response.css("li.next a::attr('href')").get()
        if next_page is not None:
            yield response.follow(next_page, self.parse)


class Authors(scrapy.Spider):
    """The authors, each of whom many pages link to, by `follow_all` and `async start`."""

    name = "authors"

    async def start(self):
        yield scrapy.Request(f"{self.front}/")

    def parse(self, response):
        yield from response.follow_all(css=".author + a", callback=self.parse_author)
        yield from response.follow_all(css="ul.pager a", callback=self.parse)

    def parse_author(self, response):
        def text(query):
            return response.css(query).get(default="").strip()

        yield {"name": text("h3.author-title::text"), "born": text(".author-born-date::text")}


class Followed(CrawlSpider):
    """The pages of tags, by rules."""

    name = "followed"
    rules = (Rule(LinkExtractor(allow=r"/tag/\w+/$"), callback="parse_tag", follow=True), Rule(LinkExtractor("/page/")))

    def __init__(self, front, **options):
        super().__init__(**options)
        self.start_urls = [f"{front}/"]

    def parse_tag(self, response):
        yield {"url": response.url, "title": response.css("h3::text").get()}


class Loaded(scrapy.Spider):
    """Quotes by an `ItemLoader`, with the author's page as a second request."""

    name = "loaded"

    def start_requests(self):
        yield scrapy.Request(f"{self.front}/page/2/")

    def parse(self, response):
        for quote in response.css("div.quote"):
            text = quote.css("span.text::text").get()
            author = quote.css(".author + a::attr(href)").get()
            yield response.follow(author, self.parse_author, cb_kwargs={"text": text}, dont_filter=True)

    def parse_author(self, response, text):
        loader = ItemLoader(item={}, response=response)
        loader.add_value("text", text)
        loader.add_css("author", "h3.author-title::text")
        yield loader.load_item()
