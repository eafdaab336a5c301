from shop import SITE, Shop

DOWNLOADER_MIDDLEWARES = {"scrapy_zyte_smartproxy.ZyteSmartProxyMiddleware": 610}
ZYTE_SMARTPROXY_ENABLED = True
ZYTE_SMARTPROXY_APIKEY = "0" * 32
ZYTE_SMARTPROXY_URL = SITE


class Spider(Shop):
    name = "zyte_smartproxy"
    start_urls = ["http://shop.test/"]

    def parse(self, response):
        headers = {"Zyte-Geolocation": "DE", "X-Crawlera-Cookies": "disable"}
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item, headers=headers)
