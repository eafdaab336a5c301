"""Spiders that follow rules, sitemaps and files."""

from __future__ import annotations

import scrapy
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, CSVFeedSpider, Rule, SitemapSpider, XMLFeedSpider

from corpus.items import Product
from corpus.recorder import note

SHOP = "https://shop.test"


class Rules(CrawlSpider):
    name = "rules"
    allowed_domains = ["shop.test"]
    start_urls = [f"{SHOP}/"]
    rules = (
        Rule(LinkExtractor(allow=r"/page/\d", deny="/page/3")),
        Rule(LinkExtractor(allow="/item/", restrict_css="#menu"), callback="parse_item", cb_kwargs={"by": "menu"}),
        Rule(
            LinkExtractor(restrict_xpaths="//div[@class='quote']"),
            callback="parse_item",
            process_links="some",
            follow=True,
        ),
        Rule(LinkExtractor(allow="about"), callback="parse_about", process_request="mark", errback="failed"),
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


class RulesProcess(CrawlSpider):
    name = "rules_process"
    start_urls = [f"{SHOP}/page/4"]
    rules = (
        Rule(LinkExtractor(tags="img", attrs="src", deny_extensions=[]), callback="parse_image"),
        Rule(LinkExtractor(), process_request=lambda request, response: None if "11" in request.url else request),
    )
    custom_settings = {"DEPTH_LIMIT": 1}

    def process_results(self, response, results):
        return [*results, {"processed": response.url}]

    def parse_image(self, response):
        yield {"image": response.url}


class Links(scrapy.Spider):
    name = "links"
    start_urls = [f"{SHOP}/"]

    def parse(self, response):
        extractors = {
            "default": LinkExtractor(),
            "allow": LinkExtractor(allow=[r"/item/\d", "about"]),
            "deny": LinkExtractor(deny="item"),
            "domains": LinkExtractor(allow_domains="other.test"),
            "deny_domains": LinkExtractor(deny_domains=["other.test"]),
            "css": LinkExtractor(restrict_css="#menu"),
            "text": LinkExtractor(restrict_text="Two"),
            "tags": LinkExtractor(tags=("link", "img"), attrs=("href", "src"), deny_extensions=()),
            "not_unique": LinkExtractor(unique=False),
            "canonical": LinkExtractor(canonicalize=True),
            "value": LinkExtractor(process_value=lambda value: value.replace("item", "page")),
            "no_strip": LinkExtractor(strip=False),
        }
        for name, extractor in extractors.items():
            links = extractor.extract_links(response)
            yield {"name": name, "links": [(link.url, link.text, link.fragment, link.nofollow) for link in links]}
        matches = extractors["allow"].matches(f"{SHOP}/item/5")
        yield {"matches": matches}


class Sitemaps(SitemapSpider):
    name = "sitemaps"
    sitemap_urls = [f"{SHOP}/robots.txt"]
    sitemap_rules = [("/item/[15]", "parse_item"), ("/item/", "parse_other")]
    sitemap_follow = ["sitemap-items", "sitemap-news"]

    def parse_item(self, response):
        yield {"item": response.url}

    def parse_other(self, response):
        yield {"other": response.url}


class SitemapFilter(SitemapSpider):
    name = "sitemap_filter"
    sitemap_urls = [f"{SHOP}/sitemap-index.xml"]
    sitemap_alternate_links = True

    def sitemap_filter(self, entries):
        for entry in entries:
            if entry.get("priority") != "0.2" and "old" not in entry["loc"]:
                yield entry

    def parse(self, response):
        yield {"url": response.url}


class XmlFeed(XMLFeedSpider):
    name = "xml_feed"
    start_urls = [f"{SHOP}/feed.xml"]
    namespaces = [("g", "http://base.google.com/ns/1.0")]
    itertag = "item"

    def parse_node(self, response, node):
        yield {"title": node.xpath("title/text()").get(), "link": node.xpath("link/text()").get()}


class XmlFeedTree(XMLFeedSpider):
    name = "xml_feed_tree"
    start_urls = [f"{SHOP}/feed.xml"]
    namespaces = [("g", "http://base.google.com/ns/1.0")]
    iterator = "xml"
    itertag = "item"

    def adapt_response(self, response):
        return response.replace(body=response.body.replace(b"News", b"Old"))

    def parse_node(self, response, selector):
        return Product(name=selector.xpath("title/text()").get(), price=selector.xpath("g:price/text()").get())

    def process_results(self, response, results):
        return list(results)[:2]


class CsvFeed(CSVFeedSpider):
    name = "csv_feed"
    start_urls = [f"{SHOP}/feed.csv"]
    delimiter = ";"
    quotechar = "'"
    headers = ["id", "name", "price"]

    def parse_row(self, response, row):
        yield dict(row)
