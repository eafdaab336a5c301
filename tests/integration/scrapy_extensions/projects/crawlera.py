from shop import SITE, Shop

DOWNLOADER_MIDDLEWARES = {"scrapy_crawlera.CrawleraMiddleware": 610}
CRAWLERA_ENABLED = True
CRAWLERA_APIKEY = "0" * 32
CRAWLERA_URL = SITE
CRAWLERA_DEFAULT_HEADERS = {"X-Crawlera-Profile": "desktop"}


class Spider(Shop):
    name = "crawlera"
    start_urls = ["http://shop.test/"]
