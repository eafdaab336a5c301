from pathlib import Path

from shop import SITE, Shop

Path("proxies.txt").write_text(f"{SITE}\n{SITE.replace('//', '//user:secret@')}\n")
PROXY_LIST = "proxies.txt"
PROXY_MODE = 0
RETRY_TIMES = 10
RETRY_HTTP_CODES = [500, 503, 504, 400, 403, 404, 408]
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": 90,
    "scrapy_proxies.RandomProxy": 100,
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": 110,
}


class Spider(Shop):
    name = "proxies"
    start_urls = ["http://shop.test/"]
