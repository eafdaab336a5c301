import os

import redis
from scrapy_redis.spiders import RedisSpider
from shop import SITE, Recorded, Shop

SCHEDULER = "scrapy_redis.scheduler.Scheduler"
DUPEFILTER_CLASS = "scrapy_redis.dupefilter.RFPDupeFilter"
ITEM_PIPELINES = {"scrapy_redis.pipelines.RedisPipeline": 300}
REDIS_URL = os.environ["REDIS"]
MAX_IDLE_TIME_BEFORE_CLOSE = 1
redis.Redis.from_url(REDIS_URL).lpush("redis_queue:start_urls", SITE)


class Spider(Recorded, RedisSpider):
    name = "redis_queue"
    parse, parse_item = Shop.parse, Shop.parse_item
