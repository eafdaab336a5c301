from shop import Shop

SPIDER_MIDDLEWARES = {"scrapy_querycleaner.QueryCleanerMiddleware": 100}
QUERYCLEANER_REMOVE = "ref"


class Spider(Shop):
    name = "querycleaner"

    def parse_item(self, response):
        yield response.follow(response.css("a")[0], self.parse_stock)

    def parse_stock(self, response):
        yield response.json() | {"url": response.url}
