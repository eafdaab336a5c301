from scrapy_jsonschema.item import JsonSchemaItem
from shop import Shop

ITEM_PIPELINES = {"scrapy_jsonschema.JsonSchemaValidatePipeline": 100}


class Product(JsonSchemaItem):
    jsonschema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Product",
        "type": "object",
        "properties": {"name": {"type": "string"}, "price": {"type": "number", "maximum": 3}},
        "required": ["name", "price"],
    }


class Spider(Shop):
    name = "jsonschema_items"

    def parse_item(self, response):
        for item in super().parse_item(response):
            yield Product(name=item["name"], price=float(item["price"]))
