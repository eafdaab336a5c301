"""A page that needs a browser."""

import scrapy


class Maps(scrapy.Spider):
    """The map of the bookshop, which a script draws."""

    name = "maps"
    start_urls = ["http://127.0.0.1:8765/map"]
    custom_settings = {
        "DOWNLOADER_MIDDLEWARES": {"scrapy_splash.SplashMiddleware": 725},
    }

    def parse(self, response):
        yield {"shape": response.css("svg").get()}
