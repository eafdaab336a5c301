from shop import SITE, Shop

ROTATING_PROXY_LIST = [SITE, SITE.replace("127.0.0.1", "localhost")]
DOWNLOADER_MIDDLEWARES = {
    "rotating_proxies.middlewares.RotatingProxyMiddleware": 610,
    "rotating_proxies.middlewares.BanDetectionMiddleware": 620,
}


class Spider(Shop):
    name = "rotating_proxies"
    start_urls = ["http://shop.test/"]
