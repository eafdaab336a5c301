from shop import Shop

FEED_EXPORTERS = {"xlsx": "scrapy_xlsx.XlsxItemExporter"}
FEEDS = {"items.xlsx": {"format": "xlsx"}}


class Spider(Shop):
    name = "xlsx"

    def parse(self, response):
        for link in response.css("a"):
            yield {"name": link.css("::text").get(), "url": link.attrib["href"]}
