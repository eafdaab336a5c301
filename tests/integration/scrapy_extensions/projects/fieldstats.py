from shop import Shop

EXTENSIONS = {"scrapy_fieldstats.fieldstats.FieldStatsExtension": 10}
FIELDSTATS_ENABLED = True


class Spider(Shop):
    name = "fieldstats"

    def parse(self, response):
        yield {"name": "front"}
        yield from super().parse(response)
