import os

from shop import SITE, Shop

os.environ |= {"SHUB_JOBKEY": "1/2/3", "SHUB_JOBAUTH": "736563726574", "SHUB_STORAGE": SITE}
PAGE_STORAGE_ENABLED = True
PAGE_STORAGE_LIMIT = 3
SPIDER_MIDDLEWARES = {"scrapy_pagestorage.PageStorageMiddleware": 900}


class Spider(Shop):
    name = "pagestorage"
    start_urls = [f"{SITE}/item/1"]  # one page: they are sent in their order
    parse = Shop.parse_item
