from shop import SITE, Shop

ADDONS = {"scrapy_zyte_api.Addon": 500}
ZYTE_API_KEY = "0" * 32
ZYTE_API_URL = f"{SITE}/zyte/"
ZYTE_API_TRANSPARENT_MODE = False


class Spider(Shop):
    name = "zyte_api"

    def parse(self, response):
        meta = {"zyte_api": {"browserHtml": True, "geolocation": "DE"}}
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item, meta=meta)
