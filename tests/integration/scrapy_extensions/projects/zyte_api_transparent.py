from shop import SITE, Shop

ADDONS = {"scrapy_zyte_api.Addon": 500}
ZYTE_API_KEY = "0" * 32
ZYTE_API_URL = f"{SITE}/zyte/"


class Spider(Shop):
    name = "zyte_api_transparent"
