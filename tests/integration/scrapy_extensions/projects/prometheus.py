from shop import SITE, Shop

STATS_CLASS = "scrapy_prometheus.PrometheusStatsCollector"
PROMETHEUS_PUSHGATEWAY = SITE
PROMETHEUS_GROUPING_KEY = {"instance": "shop"}


class Spider(Shop):
    name = "prometheus"
