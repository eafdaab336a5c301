from shop import Shop

SPIDER_MIDDLEWARES = {"scrapy_crawl_once.CrawlOnceMiddleware": 100}
DOWNLOADER_MIDDLEWARES = {"scrapy_crawl_once.CrawlOnceMiddleware": 50}


class Spider(Shop):
    name = "crawl_once"

    def parse(self, response):
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item, meta={"crawl_once": True})
