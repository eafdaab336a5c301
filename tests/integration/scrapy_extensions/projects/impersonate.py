from shop import Shop

HANDLER = "scrapy_impersonate.ImpersonateDownloadHandler"
DOWNLOAD_HANDLERS = {"http": HANDLER, "https": HANDLER}
TWISTED_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
USER_AGENT = None


class Spider(Shop):
    name = "impersonate"

    def parse(self, response):
        meta = {"impersonate": "chrome124"}
        yield from response.follow_all(css="a:not(.flaky)", callback=self.parse_item, meta=meta)
