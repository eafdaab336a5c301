"""Keys of `meta`, and settings of the downloader."""

from __future__ import annotations

import scrapy
import scrapy.exceptions
from scrapy.downloadermiddlewares.retry import get_retry_request

from corpus.recorder import note

SHOP = "https://shop.test"
RETRY = "scrapy.downloadermiddlewares.retry.RetryMiddleware"


class HandleList(scrapy.Spider):
    name = "handle_httpstatus_list"
    handle_httpstatus_list = [404]
    start_urls = [f"{SHOP}/status/404", f"{SHOP}/status/410", f"{SHOP}/item/1"]

    def parse(self, response):
        yield {"status": response.status, "url": response.url}


class HandleMeta(scrapy.Spider):
    name = "handle_httpstatus_meta"
    custom_settings = {"RETRY_ENABLED": False}

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/status/404", meta={"handle_httpstatus_list": [404, 500]})
        yield scrapy.Request(f"{SHOP}/status/500", meta={"handle_httpstatus_list": [404]})
        yield scrapy.Request(f"{SHOP}/status/503", meta={"handle_httpstatus_all": True})
        yield scrapy.Request(f"{SHOP}/redirect/302/1", meta={"handle_httpstatus_list": [302]})
        yield scrapy.Request(f"{SHOP}/redirect/301/1", meta={"handle_httpstatus_all": True})

    def parse(self, response):
        yield {"status": response.status, "url": response.url}


class AllowedCodes(scrapy.Spider):
    name = "httperror_allowed_codes"
    custom_settings = {"HTTPERROR_ALLOWED_CODES": [404], "RETRY_ENABLED": False}
    start_urls = [f"{SHOP}/status/404", f"{SHOP}/status/410", f"{SHOP}/status/500"]

    def parse(self, response):
        yield {"status": response.status}


class AllowAll(AllowedCodes):
    name = "httperror_allow_all"
    custom_settings = {"HTTPERROR_ALLOW_ALL": True, "RETRY_ENABLED": False}


class Redirects(scrapy.Spider):
    name = "redirects"

    def start_requests(self):
        for path in ("/redirect/301/1", "/redirect/302/3?to=/item/2", "/redirect/308/1?to=/item/4", "/refresh"):
            yield scrapy.Request(f"{SHOP}{path}", meta={"mine": path})
        yield scrapy.Request(
            f"{SHOP}/redirect/303/1?to=/echo", method="POST", body="x", headers={"Content-Type": "text/x"}
        )
        yield scrapy.Request(
            f"{SHOP}/redirect/307/1?to=/echo", method="POST", body="y", headers={"Content-Type": "text/x"}
        )

    def parse(self, response):
        meta = response.meta
        yield {
            "url": response.url,
            "mine": meta.get("mine"),
            "urls": meta.get("redirect_urls"),
            "times": meta.get("redirect_times"),
            "reasons": meta.get("redirect_reasons"),
            "method": response.request.method,
        }


class RedirectToSeen(scrapy.Spider):
    name = "redirect_to_seen"
    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        yield {"url": response.url}
        if response.url.endswith("1"):
            yield response.follow("/redirect/302/1?to=/item/1")
            yield response.follow("/redirect/302/1?to=/item/2", dont_filter=True)


class DontRedirect(scrapy.Spider):
    name = "dont_redirect"

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/redirect/302/1", meta={"dont_redirect": True}, errback=self.failed)
        meta = {"dont_redirect": True, "handle_httpstatus_list": [301]}
        yield scrapy.Request(f"{SHOP}/redirect/301/1", meta=meta)

    def parse(self, response):
        yield {"status": response.status, "location": response.headers["Location"].decode()}

    def failed(self, failure):
        yield {"failed": failure.value.response.status}


class RedirectsOff(scrapy.Spider):
    name = "redirects_off"
    custom_settings = {"REDIRECT_ENABLED": False, "HTTPERROR_ALLOW_ALL": True, "METAREFRESH_ENABLED": False}
    start_urls = [f"{SHOP}/redirect/302/1", f"{SHOP}/refresh"]

    def parse(self, response):
        yield {"status": response.status, "url": response.url}


class RedirectLoop(scrapy.Spider):
    name = "redirect_loop"
    custom_settings = {"REDIRECT_MAX_TIMES": 3}

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/redirect/302/9", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/redirect/301/3")

    def parse(self, response):
        yield {"url": response.url}

    def failed(self, failure):
        yield {"failed": failure.type.__name__}


class Retries(scrapy.Spider):
    name = "retries"
    custom_settings = {"RETRY_TIMES": 2}

    def start_requests(self):
        for path in ("/flaky/503/1", "/flaky/500/2", "/flaky/502/9", "/status/404"):
            yield scrapy.Request(f"{SHOP}{path}", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/flaky/503/8?once", meta={"dont_retry": True}, errback=self.failed)
        yield scrapy.Request(f"{SHOP}/flaky/503/4?many", meta={"max_retry_times": 5})

    def parse(self, response):
        yield {"url": response.url, "times": response.meta.get("retry_times")}

    def failed(self, failure):
        yield {"failed": failure.value.response.status, "url": failure.request.url}


class RetryCodes(scrapy.Spider):
    name = "retry_codes"
    custom_settings = {"RETRY_TIMES": 1, "RETRY_HTTP_CODES": [404]}
    start_urls = [f"{SHOP}/flaky/404/1", f"{SHOP}/flaky/503/1"]

    def parse(self, response):
        yield {"url": response.url}


class OwnRetries(scrapy.Spider):
    """A middleware of the project takes the place of Scrapy's."""

    name = "own_retries"
    custom_settings = {
        "RETRY_TIMES": 1,
        "DOWNLOADER_MIDDLEWARES": {RETRY: None, "corpus.middlewares.RetryTeapots": 550},
    }

    def start_requests(self):
        for path in ("/refused", "/timeout", "/flaky/500/1", "/flaky/500/9", "/flaky/418/1"):
            yield scrapy.Request(f"{SHOP}{path}", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/refused?max", errback=self.failed, meta={"max_retry_times": 2})

    def parse(self, response):
        yield {"url": response.url, "times": response.meta.get("retry_times")}

    def failed(self, failure):
        found = {"failed": failure.type.__name__, "url": failure.request.url}
        yield found | {"times": failure.request.meta.get("retry_times")}


class RetriesOff(OwnRetries):
    name = "retries_off"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": {RETRY: None}}


class RetryRequests(scrapy.Spider):
    name = "retry_requests"
    start_urls = [f"{SHOP}/flaky/200/2"]
    custom_settings = {"RETRY_TIMES": 5}

    def parse(self, response):
        if "works" in response.text:
            yield {"times": response.meta.get("retry_times")}
        else:
            yield get_retry_request(response.request, spider=self, reason="not ready")


class RetryFailures(scrapy.Spider):
    name = "retry_failures"
    custom_settings = {"RETRY_TIMES": 1}

    def start_requests(self):
        for path in ("/refused", "/timeout"):
            yield scrapy.Request(f"{SHOP}{path}", errback=self.failed)

    def failed(self, failure):
        yield {"failed": failure.type.__name__, "times": failure.request.meta.get("retry_times")}


class Cookies(scrapy.Spider):
    name = "cookies"
    custom_settings = {"CONCURRENT_REQUESTS": 1}
    start_urls = [f"{SHOP}/cookie/a/1"]

    def parse(self, response):
        yield response.follow("/echo?plain", self.seen)
        yield response.follow("/echo?more", self.seen, cookies={"b": "2"})
        yield response.follow("/echo?own", self.seen, meta={"cookiejar": 1}, cookies={"c": "3"})
        yield response.follow("/echo?apart", self.seen, meta={"dont_merge_cookies": True}, cookies={"d": "4"})

    def seen(self, response):
        yield {"url": response.url, "cookie": response.json()["fields"].get("cookie")}
        if "own" in response.url:
            yield response.follow("/echo?again", self.seen, meta={"cookiejar": response.meta["cookiejar"]})


class CookiesOff(scrapy.Spider):
    name = "cookies_off"
    custom_settings = {"COOKIES_ENABLED": False}
    start_urls = [f"{SHOP}/cookie/a/1"]

    def parse(self, response):
        yield response.follow("/echo", self.seen, cookies={"b": "2"}, headers={"Cookie": "own=1"})

    def seen(self, response):
        yield {
            "cookie": response.json()["fields"].get("cookie"),
            "set": response.request.headers.get("Cookie", b"").decode(),
        }


class Credentials(scrapy.Spider):
    name = "credentials"
    custom_settings = {"HTTPAUTH_USER": "ann", "HTTPAUTH_PASS": "pw", "HTTPAUTH_DOMAIN": "shop.test"}

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/echo?of-the-settings")
        yield scrapy.Request("https://other.test/echo?other-domain")
        own = {"http_user": "bob", "http_pass": "word"}
        yield scrapy.Request(f"{SHOP}/echo?own", meta=own)
        yield scrapy.Request("https://other.test/echo?own-anywhere", meta=own)
        yield scrapy.Request("https://other.test/echo?own-elsewhere", meta=own | {"http_auth_domain": "shop.test"})
        yield scrapy.Request("https://api.shop.test/echo?own-domain", meta=own | {"http_auth_domain": "shop.test"})

    def parse(self, response):
        yield {"url": response.url, "sent": response.json()["fields"].get("authorization")}


class Headers(scrapy.Spider):
    name = "headers"
    user_agent = "spider/2"
    http_user = "ann"
    http_pass = "pw"
    http_auth_domain = "shop.test"
    custom_settings = {
        "DEFAULT_REQUEST_HEADERS": {"Accept": "text/x", "X-Token": "t", "Host": "shop.test", "X-None": None},
    }
    start_urls = [f"{SHOP}/echo", "https://shop.test/echo?second"]

    def parse(self, response):
        yield {"fields": response.json()["fields"], "url": response.url}
        if "second" not in response.url:
            yield scrapy.Request(
                f"{SHOP}/echo?third", headers={"Authorization": "own", "Accept": "text/y", "User-Agent": "own/1"}
            )


class Authorization(scrapy.Spider):
    name = "default_authorization"
    custom_settings = {
        "DEFAULT_REQUEST_HEADERS": {"Authorization": "Bearer x", "Connection": "keep-alive"},
        "REFERER_ENABLED": False,
    }
    start_urls = [f"{SHOP}/echo"]

    def parse(self, response):
        yield {"fields": response.json()["fields"]}
        if "?" not in response.url:
            yield response.follow("/echo?next")


class Offsite(scrapy.Spider):
    name = "offsite"
    allowed_domains = ["shop.test"]
    start_urls = [f"{SHOP}/page/1", "https://other.test/item/1"]

    def parse(self, response):
        yield {"url": response.url}
        if "page" in response.url:
            yield response.follow("https://other.test/item/2")
            yield response.follow("https://www.shop.test/item/3")
            yield response.follow("https://shop.test.evil.test/item/4")
            yield response.follow("https://other.test/item/5", dont_filter=True)
            yield response.follow("https://other.test/item/6", meta={"allow_offsite": True})
            yield response.follow(f"{SHOP}/redirect/302/1?to=https://other.test/item/7")


class Depth(scrapy.Spider):
    name = "depth"
    custom_settings = {"DEPTH_LIMIT": 2, "DEPTH_STATS_VERBOSE": True}
    start_urls = [f"{SHOP}/tree/r"]

    def parse(self, response):
        yield {"name": response.css("title::text").get(), "depth": response.meta["depth"]}
        yield from response.follow_all(css="a")


class BreadthFirst(scrapy.Spider):
    name = "breadth_first"
    in_order = True
    custom_settings = {
        "CONCURRENT_REQUESTS": 1,
        "DEPTH_PRIORITY": 1,
        "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
    }
    start_urls = [f"{SHOP}/tree/r"]

    def parse(self, response):
        yield {"depth": response.meta["depth"]}
        yield from response.follow_all(css="a")


class Priorities(scrapy.Spider):
    name = "priorities"
    in_order = True
    custom_settings = {"CONCURRENT_REQUESTS": 1}
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        for number, priority in ((1, -5), (2, 10), (3, 0), (4, 20)):
            yield response.follow(f"/item/{number}", self.item, priority=priority)

    def item(self, response):
        yield {"url": response.url, "priority": response.request.priority}


class Slots(scrapy.Spider):
    name = "slots"
    custom_settings = {
        "CONCURRENT_REQUESTS_PER_DOMAIN": 2,
        "DOWNLOAD_DELAY": 0.01,
        "RANDOMIZE_DOWNLOAD_DELAY": False,
        "DOWNLOAD_SLOTS": {"fast": {"concurrency": 3, "delay": 0, "randomize_delay": False}},
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": 0.01,
        "AUTOTHROTTLE_MAX_DELAY": 0.02,
    }

    def start_requests(self):
        for number in range(1, 5):
            yield scrapy.Request(f"{SHOP}/item/{number}", meta={"download_slot": "fast", "download_timeout": 30})
        yield scrapy.Request(f"{SHOP}/item/5")

    def parse(self, response):
        meta = response.meta
        yield {
            "slot": meta["download_slot"],
            "timeout": meta["download_timeout"],
            "latency": meta["download_latency"] >= 0,
        }


class Robots(scrapy.Spider):
    name = "robots"
    custom_settings = {"ROBOTSTXT_OBEY": True}

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/private/a", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/private/b", meta={"dont_obey_robotstxt": True})
        yield scrapy.Request(f"{SHOP}/item/1")

    def parse(self, response):
        yield {"url": response.url}

    def failed(self, failure):
        yield {"failed": failure.type.__name__}


class LongUrls(scrapy.Spider):
    name = "long_urls"
    custom_settings = {"URLLENGTH_LIMIT": 60}
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        yield response.follow(f"/item/1?{'x' * 60}")
        yield response.follow("/item/1?short")
        yield {"url": response.url}


ONE_MORE = ("items", "requests", "item_", "response_", "downloader/", "request_depth")
"""Parts of the outcome that depend on the moment at which the crawl is closed."""


class Pages(scrapy.Spider):
    """Follows four pages, one at a time."""

    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all(css="li.next a")

    def closed(self, reason):
        note(self, "closed", reason)


class ItemCount(Pages):
    name = "closespider_itemcount"
    leaves_out = ONE_MORE
    custom_settings = {"CLOSESPIDER_ITEMCOUNT": 2, "CONCURRENT_REQUESTS": 1}


class PageCount(Pages):
    name = "closespider_pagecount"
    custom_settings = {"CLOSESPIDER_PAGECOUNT": 2, "CONCURRENT_REQUESTS": 1}


class ErrorCount(Pages):
    name = "closespider_errorcount"
    custom_settings = {"CLOSESPIDER_ERRORCOUNT": 1, "CONCURRENT_REQUESTS": 1}

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all(css="li.next a")
        raise ValueError("counted")


class Timeout(scrapy.Spider):
    name = "closespider_timeout"
    custom_settings = {"CLOSESPIDER_TIMEOUT": 3}
    start_urls = [f"{SHOP}/page/1"]

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.idle, scrapy.signals.spider_idle)
        return spider

    def idle(self, spider):
        raise scrapy.exceptions.DontCloseSpider

    def parse(self, response):
        yield {"url": response.url}

    def closed(self, reason):
        note(self, "closed", reason)


class OwnDuplicates(scrapy.Spider):
    name = "own_duplicates"
    custom_settings = {"DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter"}
    start_urls = [f"{SHOP}/page/1"]
    count = 0

    def parse(self, response):
        self.count += 1
        yield {"count": self.count}
        if self.count < 3:
            yield response.follow("/page/1")


class Repeating(scrapy.Spider):
    """Follows pages that it has seen, with other fields and queries."""

    start_urls = [f"{SHOP}/item/1"]

    def parse(self, response):
        yield {"url": response.url, "depth": response.meta["depth"]}
        if response.meta["depth"] < 2:
            for n in range(3):
                yield response.follow(f"/item/2?n={n % 2}", headers={"X-Id": str(n)})
            yield response.follow("/item/3", meta={"fingerprint": "one"})
            yield response.follow("/item/4", meta={"fingerprint": "one"})
            yield response.follow("/item/4", dont_filter=True)


class OwnFilter(Repeating):
    name = "own_filter"
    custom_settings = {"DUPEFILTER_CLASS": "corpus.duplicates.Thrice", "REFERER_ENABLED": False}


class OwnFilterByField(Repeating):
    name = "own_filter_by_field"
    custom_settings = {"DUPEFILTER_CLASS": "corpus.duplicates.ByField"}


class OwnFingerprinter(Repeating):
    name = "own_fingerprinter"
    custom_settings = {"REQUEST_FINGERPRINTER_CLASS": "corpus.duplicates.ByPath"}


class NoFilter(Repeating):
    name = "no_filter"
    custom_settings = {"DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter"}


class DroppedRequests(Repeating):
    """Hears of each repeat."""

    name = "dropped_requests"

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.dropped, scrapy.signals.request_dropped)
        return spider

    def dropped(self, request):
        note(self, "dropped", request.url)


class FailuresWithoutRetry(scrapy.Spider):
    name = "failures_without_retry"

    def start_requests(self):
        for path in ("refused", "timeout", "status/500"):
            yield scrapy.Request(f"{SHOP}/{path}?once", errback=self.failed, meta={"dont_retry": True})
            yield scrapy.Request(f"{SHOP}/{path}?max", errback=self.failed, meta={"max_retry_times": 0})

    def failed(self, failure):
        yield {"url": failure.request.url, "error": type(failure.value).__name__}


class Proxies(scrapy.Spider):
    name = "proxies"

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/item/1", meta={"proxy": "http://proxy.test:3128", "bindaddress": "127.0.0.1"})
        yield scrapy.Request(f"{SHOP}/item/2")

    def parse(self, response):
        yield {"url": response.url, "proxy": response.meta.get("proxy"), "from": response.meta.get("bindaddress")}


class HttpCache(scrapy.Spider):
    name = "http_cache"
    custom_settings = {
        "HTTPCACHE_ENABLED": True,
        "HTTPCACHE_DIR": "{folder}/cache",
        "HTTPCACHE_IGNORE_HTTP_CODES": [404],
    }
    start_urls = [f"{SHOP}/item/1", f"{SHOP}/status/404"]
    handle_httpstatus_list = [404]

    def parse(self, response):
        yield {"status": response.status, "flags": response.flags}
        if not response.meta.get("again"):
            yield response.request.replace(dont_filter=True, meta={"again": True})


class Referrers(scrapy.Spider):
    name = "referrers"
    custom_settings = {"REFERRER_POLICY": "same-origin"}
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        for host in ("shop.test", "other.test"):
            yield scrapy.Request(f"https://{host}/echo?default", self.seen)
            meta = {"referrer_policy": "unsafe-url"}
            yield scrapy.Request(f"https://{host}/echo?unsafe", self.seen, meta=meta)
            yield scrapy.Request(f"https://{host}/echo?own", self.seen, headers={"Referer": "https://own.test/"})

    def seen(self, response):
        yield {"url": response.url, "referer": response.json()["fields"].get("referer")}
