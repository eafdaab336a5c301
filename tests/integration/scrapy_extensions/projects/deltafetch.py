from shop import Shop

SPIDER_MIDDLEWARES = {"scrapy_deltafetch.DeltaFetch": 100}
DELTAFETCH_ENABLED = True


class Spider(Shop):
    name = "deltafetch"
