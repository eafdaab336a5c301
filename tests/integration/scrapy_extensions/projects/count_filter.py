from shop import Shop

DOWNLOADER_MIDDLEWARES = {"scrapy_count_filter.middleware.HostsCountFilterMiddleware": 995}
CONCURRENT_REQUESTS = 1


class Spider(Shop):
    name = "count_filter"
    count_limits = {"page_host_count": 100, "item_host_count": 100}
