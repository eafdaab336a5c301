from shop import SITE, Shop

ROTATED_PROXY_ENABLED = True
PROXY_STORAGE = "scrapy_rotated_proxy.extensions.file_storage.FileProxyStorage"
HTTP_PROXIES = [SITE]
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
    "scrapy_rotated_proxy.downloadmiddlewares.proxy.RotatedProxyMiddleware": 750,
}


class Spider(Shop):
    name = "rotated_proxy"
    start_urls = ["http://shop.test/"]
