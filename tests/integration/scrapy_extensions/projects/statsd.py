import os

from shop import Shop

STATS_CLASS = "scrapy_statsd.statscollectors.StatsDStatsCollector"
STATSD_HOST = "127.0.0.1"
STATSD_PORT = int(os.environ["STATSD"].rpartition(":")[2])


class Spider(Shop):
    name = "statsd"
