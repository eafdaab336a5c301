"""Names that Scrapy has removed."""

from __future__ import annotations

from scrapy import log
from scrapy.conf import settings
from scrapy.contrib.linkextractors.sgml import SgmlLinkExtractor
from scrapy.contrib.loader import ItemLoader, XPathItemLoader
from scrapy.contrib.loader.processor import Join, MapCompose, TakeFirst
from scrapy.contrib.spiders import CrawlSpider, Rule
from scrapy.contrib.spiders.feed import CSVFeedSpider
from scrapy.contrib.spiders.sitemap import SitemapSpider
from scrapy.http import FormRequest, Request
from scrapy.item import BaseItem
from scrapy.linkextractor import IGNORED_EXTENSIONS
from scrapy.loader.processors import Compose
from scrapy.selector import HtmlXPathSelector
from scrapy.spider import BaseSpider
from scrapy.utils.url import canonicalize_url  # noqa: F401

from corpus.items import Product, Quote, digits
from corpus.recorder import note

SHOP = "https://shop.test"


class StartUrls(BaseSpider):
    name = "start_urls"
    start_urls = ["https://shop.test/page/1", "https://shop.test/page/2", "https://shop.test/page/1"]

    def parse(self, response):
        page = HtmlXPathSelector(response)
        for quote in page.select("//div[@class='quote']"):
            yield {
                "text": quote.select("span[@class='text']/text()").extract()[0],
                "author": quote.select("small[@class='author']/text()").extract()[0],
                "tags": quote.select("div/a[@class='tag']/text()").extract(),
            }
        for url in page.select("//li[@class='next']/a/@href").extract():
            yield Request(response.urljoin(url), callback=self.parse)


class StartList(BaseSpider):
    name = "start_list"

    def start_requests(self):
        return [FormRequest("https://shop.test/echo", formdata={"a": "1", "b": ["2", "é"]}, callback=self.done)]

    def done(self, response):
        return response.json()


class Logs(BaseSpider):
    name = "logs"
    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        log.msg(f"page {response.url}", level=log.INFO)
        self.log("an old way to log", level=log.DEBUG)
        return {"logger": self.logger.name}


class FromCrawler(BaseSpider):
    name = "contracts"

    def start_requests(self):
        assert settings.get("CORPUS_ANSWER") == "42"
        assert not issubclass(dict, BaseItem)
        yield self.make_requests_from_url(f"{SHOP}/item/1")

    def parse(self, response):
        yield {"url": response.url}


class Rules(CrawlSpider):
    name = "rules"
    allowed_domains = ["shop.test"]
    start_urls = [f"{SHOP}/"]
    rules = (
        Rule(SgmlLinkExtractor(allow=r"/page/\d", deny="/page/3")),
        Rule(SgmlLinkExtractor(allow="/item/", restrict_css="#menu"), callback="parse_item", cb_kwargs={"by": "menu"}),
        Rule(
            SgmlLinkExtractor(restrict_xpaths="//div[@class='quote']", deny_extensions=IGNORED_EXTENSIONS),
            callback="parse_item",
            process_links="some",
            follow=True,
        ),
        Rule(SgmlLinkExtractor(allow="about"), callback="parse_about", process_request="mark", errback="failed"),
    )

    def parse_start_url(self, response):
        return [{"start": response.url}]

    def parse_item(self, response, by="page"):
        yield {"item": response.url, "by": by, "text": response.meta["link_text"], "rule": response.meta["rule"]}

    def some(self, links):
        return [link for link in links if not link.url.endswith("2")]

    def mark(self, request, response):
        request.meta["from"] = response.url
        return request

    def parse_about(self, response):
        yield {"about": response.css("p::text").get(), "from": response.meta["from"]}

    def failed(self, failure):
        note(self, "failed", failure.type.__name__)


class OldLoader(XPathItemLoader):
    default_item_class = Product
    default_output_processor = TakeFirst()
    name_in = MapCompose(str.strip)
    price_in = MapCompose(digits)
    price_out = Compose(TakeFirst(), float)
    note_out = Join(" | ")


class Loaders(BaseSpider):
    name = "loaders"
    start_urls = [f"{SHOP}/item/3"]

    def parse(self, response):
        loader = OldLoader(response=response)
        loader.add_css("name", "h1::text")
        loader.add_xpath("price", "//p[@class='price']/text()")
        loader.add_css("sizes", "li::text")
        loader.add_value("url", response.url)
        loader.add_value("note", ["a", "b"])
        loader.nested_css("div.desc").add_css("note", "::text")
        loader.replace_value("url", "replaced")
        yield loader.load_item()
        plain = ItemLoader(item={}, selector=response.css("ul")[0])
        plain.add_css("sizes", "li::text", MapCompose(str.strip), re=r"\w")
        plain.default_output_processor = Join("-")
        yield plain.load_item()
        quote = ItemLoader(item=Quote(text=""), response=response)
        quote.text_out = TakeFirst()
        quote.author_out = TakeFirst()
        quote.add_css("text", "b::text")
        quote.add_value("author", "me")
        yield {
            "value": quote.get_css("h1::text", TakeFirst(), str.strip),
            "collected": quote.get_collected_values("text"),
        }
        yield quote.load_item()


class Csv(CSVFeedSpider):
    name = "csv_feed"
    start_urls = [f"{SHOP}/feed.csv"]
    delimiter = ";"
    quotechar = "'"
    headers = ["id", "name", "price"]

    def parse_row(self, response, row):
        yield dict(row)


class Sitemaps(SitemapSpider):
    name = "sitemaps"
    sitemap_urls = [f"{SHOP}/robots.txt"]
    sitemap_rules = [("/item/[15]", "parse_item"), ("/item/", "parse_other")]
    sitemap_follow = ["sitemap-items", "sitemap-news"]

    def parse_item(self, response):
        yield {"item": response.url}

    def parse_other(self, response):
        yield {"other": response.url}


class PipelineDrops(BaseSpider):
    name = "pipeline_drops"
    start_urls = [f"{SHOP}/item/{n}" for n in range(1, 5)]
    custom_settings = {
        "ITEM_PIPELINES": {
            f"corpus.pipelines.{name}": n for n, name in enumerate(("DroppingLater", "Dropping", "Writing"))
        },
        "DOWNLOADER_MIDDLEWARES": {"scrapy.contrib.downloadermiddleware.useragent.UserAgentMiddleware": 500},
    }

    def parse(self, response):
        yield {"number": int(response.url.rpartition("/")[2])}
