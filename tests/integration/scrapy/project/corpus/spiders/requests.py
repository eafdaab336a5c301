"""Requests and responses: arguments, copies, links, encodings."""

from __future__ import annotations

from pathlib import Path

import scrapy
from scrapy.http import FormRequest, JsonRequest, TextResponse, XmlRpcRequest
from scrapy.selector import Selector
from scrapy.utils.request import request_from_dict
from scrapy.utils.response import get_base_url, open_in_browser  # noqa: F401

from corpus.recorder import note

SHOP = "https://shop.test"


class RequestArguments(scrapy.Spider):
    name = "request_arguments"
    custom_settings = {"DEFAULT_REQUEST_HEADERS": {"Accept-Language": "de", "X-Default": "1"}}

    def start_requests(self):
        url = f"{SHOP}/echo"
        yield scrapy.Request(url, method="POST", body="a b", headers={"X-Test": ["1", "2"], "Content-Type": "text/x"})
        jars = {"meta": {"cookiejar": 1}}
        yield scrapy.Request(f"{url}?put", method="PUT", body=b"\xff\x00", cookies={"c": "1", "d": "é"}, **jars)
        yield scrapy.Request(
            f"{url}?list", cookies=[{"name": "e", "value": "2", "path": "/"}], flags=["mine"], meta={"cookiejar": 2}
        )
        yield scrapy.Request(f"{url}?q=a b&r=é#fragment", priority=5)
        yield scrapy.Request(f"{url}?delete", method="delete")
        yield scrapy.Request(f"{url}?head", method="HEAD")
        yield JsonRequest(f"{url}?json", data={"b": [1, None], "a": "é"})
        yield JsonRequest(f"{url}?json-get", method="GET", headers={"Accept": "text/x"})
        yield FormRequest(f"{url}?form", formdata=[("a", "1"), ("a", "2"), ("b", "x y&z")])
        yield FormRequest(f"{url}?a=0", method="GET", formdata={"a": "1"})
        yield XmlRpcRequest(f"{url}?rpc", params=(1, "b"), methodname="call")
        yield scrapy.Request.from_curl(f"curl '{url}?curl' -X PATCH -H 'X-Test: c' --data-raw 'x=1'")

    def parse(self, response):
        if response.request.method == "HEAD":
            yield {"head": response.url, "body": len(response.body)}
            return
        yield response.json() | {
            "url": response.url,
            "flags": response.request.flags,
            "class": type(response.request).__name__,
        }


class OtherSchemes(scrapy.Spider):
    """URLs that do not lead to the web."""

    name = "other_schemes"
    custom_settings = {
        "DOWNLOAD_HANDLERS": {"memo": "corpus.handlers.Memo", "memo2": "corpus.handlers.Memo", "ftp": None},
    }

    def start_requests(self):
        urls = [
            "data:,hello", "data:text/html;charset=utf-8,<a%20href='https://shop.test/item/1'>1</a>#part",
            (Path(__file__).parents[2] / "scrapy.cfg").as_uri(), "memo://place/one?a=1", "memo2://two", "memo://fails",
            "ftp://shop.test/file",
        ]  # fmt: skip
        for url in urls:
            yield scrapy.Request(url, errback=self.failed, cb_kwargs={"given": url[:8]}, dont_filter="one" in url)

    def parse(self, response, given):
        found = {"given": given, "class": type(response).__name__, "status": response.status}
        yield found | {"text": response.text.split("\n")[0], "slot": response.meta["download_slot"]}
        if given.startswith("data:tex"):
            yield from response.follow_all(css="a", callback=self.item)
        if given == "memo://p":
            yield scrapy.Request("memo://place/one?a=1", self.item, dont_filter=True)
            yield scrapy.Request("data:,offsite", self.item)
            yield {"host": response.url}

    def item(self, response):
        yield {"url": response.url, "referer": response.request.headers.get("Referer")}

    def failed(self, failure):
        yield {"failed": failure.request.url, "error": type(failure.value).__name__}


class HeaderBytes(scrapy.Spider):
    """Header fields of requests and responses that are not ASCII."""

    name = "header_bytes"
    start_urls = [f"{SHOP}/utf-8"]
    custom_settings = {"DEFAULT_REQUEST_HEADERS": {"X-Default": "ä"}}

    def parse(self, response):
        yield {"url": response.url, "texts": [value.decode() for value in response.headers.getlist("X-Text")]}
        fields = {"X-Test": "日本", "X-Bytes": b"\xff\xe4"}
        yield scrapy.Request(f"{SHOP}/echo", self.echo, headers=fields)
        yield scrapy.Request(f"{SHOP}/echo?own", self.echo, headers={"X-Default": "ö"}, meta={"day": {1}})

    def echo(self, response):
        sent = response.request.headers
        yield response.json() | {"sent": sorted(sent.getlist("X-Test") + sent.getlist("X-Bytes"))}


class WrittenUrls(scrapy.Spider):
    """URLs that have another canonical form: spiders see them as they have written them."""

    name = "written_urls"
    start_urls = [SHOP, "https://SHOP.test:443/item/1?b&a", "https://shop.test?q"]

    def parse(self, response):
        yield {"url": response.url, "request": response.request.url}
        if response.url == SHOP:
            yield response.follow("HTTPS://shop.TEST/page/1#top", self.page, cb_kwargs={"kept": {1}})
            yield scrapy.Request("https://Shop.test/redirect/302/1", self.page, errback=self.page)

    def page(self, response, kept=None):
        yield {"url": response.url, "request": response.request.url, "from": response.meta.get("redirect_urls")}


class Copies(scrapy.Spider):
    name = "copies"
    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        request = scrapy.Request(
            f"{SHOP}/item/2", self.again, meta={"a": 1}, headers={"X-Test": "y"}, cb_kwargs={"k": "v"}
        )
        copy = request.copy()
        other = request.replace(url=f"{SHOP}/item/3", cb_kwargs={"k": "w"})
        restored = request_from_dict(request.to_dict(spider=self), spider=self)
        note(self, copy.url, other.url, restored.callback == self.again, restored.meta, dict(restored.headers))
        yield other
        yield restored

    def again(self, response, k):
        page = response.replace(body=b"<p>changed</p>")
        yield {"k": k, "meta": response.meta["a"], "changed": page.css("p::text").get(), "class": type(page).__name__}
        yield {"copy": response.copy().url, "request": response.request.url, "flags": response.flags}


class Filtered(scrapy.Spider):
    name = "filtered"
    start_urls = [f"{SHOP}/echo?b=2&a=1"]

    def parse(self, response):
        yield {"query": response.json()["query"]}
        yield scrapy.Request(f"{SHOP}/echo?a=1&b=2")
        yield scrapy.Request(f"{SHOP}/echo?a=1&b=2#other")
        yield scrapy.Request(f"{SHOP}/echo?a=1&b=2", method="POST")
        yield scrapy.Request(f"{SHOP}/echo?a=1&b=2", method="POST", body="x")
        yield scrapy.Request(f"{SHOP}/echo?once", dont_filter=response.url.endswith("b=2&a=1"))
        yield scrapy.Request(f"{SHOP}/echo?once")


class Follows(scrapy.Spider):
    name = "follows"
    start_urls = [f"{SHOP}/"]

    def parse(self, response):
        note(self, response.urljoin("x/../y?z#f"), get_base_url(response))
        yield response.follow("about", self.page, meta={"by": "text"})
        yield response.follow(response.css("#menu a")[0], self.page, meta={"by": "selector"})
        yield response.follow(response.css("a::attr(href)")[0], self.page, meta={"by": "attribute"})
        yield response.follow(response.css("link")[0], self.page, meta={"by": "link"})
        yield from response.follow_all(response.css("#menu a"), self.page, meta={"by": "list"})
        yield from response.follow_all(xpath="//area/@href", callback=self.page, cb_kwargs={"extra": 1})
        yield from response.follow_all(["/item/7", "/item/8"], self.page)

    def page(self, response, extra=None):
        yield {"url": response.url, "by": response.meta.get("by"), "extra": extra}


class Selectors(scrapy.Spider):
    name = "selectors"
    start_urls = [f"{SHOP}/item/7"]

    def parse(self, response):
        price = response.css("p.price")
        yield {
            "extract": response.css("li::text").extract(),
            "extract_first": response.css("li::text").extract_first(),
            "default": response.css("nothing::text").get(default="none"),
            "re": price.re(r"(\w+) (\d+)"),
            "re_first": price.re_first(r"\d+\.\d+"),
            "re_default": price.re_first("x", default="no"),
            "attrib": response.css("h1").attrib["itemprop"],
            "has-class": response.xpath("//div[has-class('desc', 'more')]//text()").getall(),
            "re:test": response.xpath(r"//li[re:test(text(), '^\s*M')]/text()").get(),
            "variable": response.xpath("//*[@itemprop=$name]/text()", name="name").get(),
            "contains": response.css("li:contains('M')::text").getall(),
            "html": response.css("ul.sizes").get(),
            "count": response.xpath("count(//li)").get(),
            "normal": response.xpath("normalize-space(//h1)").get(),
            "nested": [one.xpath("./text()").get().strip() for one in response.xpath("//ul/li")],
            "title": response.selector.xpath("//title/text()").get(),
            "attributes": response.css("a::attr(href), img::attr(src)").getall(),
        }
        selector = Selector(text="<p>a<b>b</b></p>")
        yield {"own": selector.css("p ::text").getall(), "type": selector.type}
        response.css("ul").drop()
        yield {"dropped": response.css("li").getall()}


class Bodies(scrapy.Spider):
    name = "bodies"
    start_urls = [
        f"{SHOP}/{path}"
        for path in (
            "latin1",
            "text",
            "empty",
            "untyped",
            "gzipped",
            "files/a.pdf",
            "images/a.png",
            "feed.xml",
            "api/items",
            "api/bad",
        )
    ]

    def parse(self, response):
        item = {
            "url": response.url,
            "class": type(response).__name__,
            "size": len(response.body),
            "type": (response.headers.get("Content-Type") or b"").decode(),
            "status": response.status,
        }
        if isinstance(response, TextResponse):
            item |= {"text": response.text[:20], "encoding": response.encoding}
        if response.url.endswith("items"):
            item |= {"json": response.json()["next"], "jmespath": response.jmespath("items[].id").getall()}
        yield item
        if response.url.endswith("bad"):
            yield {"never": response.json()}


class Xml(scrapy.Spider):
    name = "xml"
    start_urls = [f"{SHOP}/feed.xml"]

    def parse(self, response):
        yield {
            "links": response.css("item link::text").getall(),
            "titles": response.xpath("//item/title/text()").getall(),
        }
        response.selector.register_namespace("g", "http://base.google.com/ns/1.0")
        yield {"prices": response.xpath("//g:price/text()").getall(), "first": response.xpath("//g:price").get()}
        yield {"text": response.xpath("//description/text()").get()}
        response.selector.remove_namespaces()
        yield {"plain": response.xpath("//price/text()").getall()}


class UnsupportedUrls(scrapy.Spider):
    name = "unsupported_urls"
    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        yield scrapy.Request("gopher://shop.test/", errback=self.failed)
        for url in ("no-scheme", "mailto:a@b.test"):
            try:
                scrapy.Request(url)
            except ValueError as error:
                note(self, str(error))
        yield {"followed": response.follow("").url}

    def failed(self, failure):
        yield {"unsupported": True}


class Exchanges(scrapy.Spider):
    """What is known of the exchange of a response."""

    name = "exchanges"
    start_urls = [f"{SHOP}/item/1", f"{SHOP}/api/items", f"{SHOP}/images/1.png", f"{SHOP}/redirect/302/1"]

    def parse(self, response):
        known = {"protocol": response.protocol, "address": str(response.ip_address), "flags": response.flags}
        yield known | {"url": response.url, "again": str(response.replace(body=b"").ip_address)}


class Stopped(scrapy.Spider):
    """Stops downloads, some after their fields, some as failures."""

    name = "stopped"

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.headers_received, scrapy.signals.headers_received)
        crawler.signals.connect(spider.bytes_received, scrapy.signals.bytes_received)
        return spider

    def start_requests(self):
        for path in (
            "item/1",
            "item/2?fields",
            "item/3?fail",
            "item/4?fields&fail",
            "redirect/302/1?to=/item/5?fields",
        ):
            yield scrapy.Request(f"{SHOP}/{path}", errback=self.failed)

    def headers_received(self, headers, body_length, request, spider):
        note(self, request.url, headers.get("Content-Type"))
        if "fields" in request.url and "redirect" not in request.url:
            raise scrapy.exceptions.StopDownload(fail="fail" in request.url)

    def bytes_received(self, data, request, spider):
        note(self, request.url, len(data))
        if "fail" in request.url:
            raise scrapy.exceptions.StopDownload

    def parse(self, response):
        yield {"url": response.url, "size": len(response.body), "flags": response.flags, "v": response.protocol}

    def failed(self, failure):
        response = failure.value.response
        yield {"failed": failure.type.__name__, "size": len(response.body), "flags": response.flags}
