from shop import SITE, Shop

ITEM_PIPELINES = {"scrapyelasticsearch.scrapyelasticsearch.ElasticSearchPipeline": 500}
ELASTICSEARCH_SERVERS = [SITE]
ELASTICSEARCH_INDEX = "shop"
ELASTICSEARCH_TYPE = "items"
ELASTICSEARCH_UNIQ_KEY = "name"


class Spider(Shop):
    name = "elasticsearch_items"

    def parse(self, response):  # one page: the items are sent in their order
        for link in response.css("a"):
            yield {"name": link.css("::text").get()}
