"""The pages of books."""

import scrapy


class Books(scrapy.Spider):
    """The titles of the bookshop."""

    name = "books"
    start_urls = ["http://127.0.0.1:8765/"]

    def parse(self, response):
        for link in response.css("a[href^='/book/']"):
            yield response.follow(link, callback=lambda page: {"title": page.css("h1::text").get()})
