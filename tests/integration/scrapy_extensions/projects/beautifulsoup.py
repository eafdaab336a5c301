from shop import Shop

DOWNLOADER_MIDDLEWARES = {"scrapy_beautifulsoup.middleware.BeautifulSoupMiddleware": 400}
BEAUTIFULSOUP_PARSER = "html.parser"


class Spider(Shop):
    name = "beautifulsoup"

    def parse_item(self, response):
        yield {"page": response.text}
