import os
from pathlib import Path

from shop import SITE, Shop

os.environ["SCRAPY_WARCIO_SETTINGS"] = "warcio.yml"
keys = ("collection", "description", "operator", "robots", "user_agent", "warc_prefix", "warc_spec")
lines = [*(f"{key}: shop" for key in keys), "max_warc_size: 10000000", "warc_dest: ''"]
Path("warcio.yml").write_text("\n".join(lines))

import scrapy_warcio  # noqa: E402 - it reads its settings at once


class Archive:
    def __init__(self):
        self.warcio = scrapy_warcio.ScrapyWarcIo()

    def process_request(self, request, spider):
        request.meta["WARC-Date"] = scrapy_warcio.warc_date()

    def process_response(self, request, response, spider):
        self.warcio.write(response, request)
        return response


DOWNLOADER_MIDDLEWARES = {Archive: 543}


class Spider(Shop):
    name = "warcio"
    start_urls = [f"{SITE}/item/1"]  # one page: the records have an order
    parse = Shop.parse_item
