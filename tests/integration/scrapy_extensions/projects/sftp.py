import os

from shop import Shop

FEED_STORAGES = {"sftp": "scrapy_feedexporter_sftp.SFTPFeedStorage"}
FEEDS = {f"sftp://user:secret@{os.environ['SFTP']}/shop/items.jsonl": {"format": "jsonlines"}}


class Spider(Shop):
    name = "sftp"
    custom_settings = {"CONCURRENT_REQUESTS": 1}
