from shop import Shop

DOWNLOADER_MIDDLEWARES = {"scrapy_html_storage.HtmlStorageMiddleware": 10}
HTML_STORAGE = {"save_html_on_codes": [200]}


class Spider(Shop):
    name = "html_storage"

    def parse(self, response):
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item, meta={"save_html": True})

    def response_html_path(self, request):
        return f"pages/{request.url.rpartition('/')[2]}.html"
