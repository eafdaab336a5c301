import os

from shop import Shop

ITEM_PIPELINES = {"scrapy_mongo.MongoPipeline": 300}
MONGO_URL = os.environ["MONGODB"]
MONGO_DATABASE = "shop"
MONGO_COLLECTION = "items"


class Spider(Shop):
    name = "mongo"

    def parse_item(self, response):
        for item in super().parse_item(response):
            yield item | {"id": item["name"], "collection": "items"}
