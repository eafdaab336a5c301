"""`PROJECTS`: the projects with extensions of Scrapy, each a module in `projects`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

__all__ = ["BROKEN", "OTHERS", "PROJECTS", "Project"]

BROWSERS: Final = {r'\["user-agent", "(?!Scrapy)[^"]+"\]': '["user-agent", "of a browser"]'}
"""The user agents of browsers, which are chosen at random."""


ARCHIVES: Final = {
    r"\d{14}|<urn:uuid:[^>]*>|(WARC-)?Date: [^\\]*|Content-Length: \d+": "",
    r"Accept-Encoding: [^\\]*": "",  # of the transport, which adds it later
    r"(\\r\\n)+": " ",
}
"""Names, times and ids in a WARC file."""


@attrs.frozen
class Project:
    """A project with one extension."""

    name: str
    """Of its module, and of its spider."""
    package: str
    """What it shows."""
    proof: str
    """A regular expression for what Scrapy's outcome, as JSON, has thanks to the package."""
    services: tuple[str, ...] = ()
    """What it needs beside the site."""
    scrapy: str = "2.19"
    """The newest version of Scrapy that it runs with: 2.19 or 2.11."""
    runs: int = 1
    """How many times it is run in the same folder."""
    exits: tuple[int, ...] = ()
    """The exit codes here, if they are not those of Scrapy: a crawl whose pages gave nothing is a problem."""
    varies: Mapping[str, str] = attrs.field(factory=dict)
    """What differs from run to run with Scrapy, too: regular expressions, and what is compared instead."""


PROJECTS: Final = (
    Project("user_agents", "scrapy-user-agents", "of a browser", varies=BROWSERS),
    Project("random_useragent", "scrapy-random-useragent", "of a browser", varies=BROWSERS),
    Project("fake_useragent", "scrapy-fake-useragent", "of a browser", scrapy="2.11", varies=BROWSERS),
    Project("rotating_proxies", "scrapy-rotating-proxies", "http://shop.test/item/1"),
    Project("proxies", "scrapy-proxies", "http://shop.test/item/1"),
    Project("deltafetch", "scrapy-deltafetch", '"deltafetch/skipped": 4', scrapy="2.11", runs=2, exits=(0, 4)),
    Project("crawl_once", "scrapy-crawl-once", '"crawl_once/ignored": 4', scrapy="2.11", runs=2),
    Project("jsonschema_items", "scrapy-jsonschema", '"jsonschema/errors/price": 2'),
    Project("poet", "scrapy-poet", '"name": "Item 1"'),
    Project("fieldstats", "scrapy-fieldstats", '"price": "80.0%"'),
    Project("querycleaner", "scrapy-querycleaner", r'stock\?n=1"', scrapy="2.11"),
    Project("inline_requests", "scrapy-inline-requests", '"stock": 10'),
    Project("xlsx", "scrapy-xlsx", "Item 4", scrapy="2.11", varies={r"(created|modified)[^>]*>[^<]*<": r"\1<"}),
    Project("html_storage", "scrapy-html-storage", "pages/1.html"),
    Project("count_filter", "scrapy-count-filter", "Item 4"),
    Project("beautifulsoup", "scrapy-beautifulsoup", "page"),
    Project("time_machine", "scrapy-time-machine", '"time_machine/store": 5', scrapy="2.11"),
    Project("warcio", "scrapy-warcio", "WARC-Type: response", varies=ARCHIVES),
    Project("zyte_smartproxy", "scrapy-zyte-smartproxy", "proxy-authorization"),
    Project("crawlera", "scrapy-crawlera", "proxy-authorization"),
    Project("prometheus", "scrapy-prometheus", "/metrics/job", scrapy="2.11"),
    Project("statsd", "scrapy-statsd", '"item_scraped_count": 4', services=("STATSD",)),
    Project("spidermon_project", "spidermon", "monitors.txt"),
    Project("mongo", "scrapy-mongo", "Item 4", services=("MONGODB",)),
    Project("elasticsearch_items", "ScrapyElasticSearch", "_bulk"),
    Project("folder_tree", "scrapy-folder-tree", "file_urls", scrapy="2.11"),
    Project("rotated_proxy", "scrapy-rotated-proxy", "http://shop.test/item/1"),
    Project("impersonate", "scrapy-impersonate", "Chrome/124"),
    Project("zyte_api", "scrapy-zyte-api", "browserHtml"),
    Project("zyte_api_transparent", "scrapy-zyte-api", "/zyte/extract"),
    Project("sftp", "scrapy-feedexporter-sftp", "shop/items.jsonl", services=("SFTP",)),
    Project("sentry", "scrapy-sentry-errors", "envelope"),
    Project("pagestorage", "scrapy-pagestorage", "Pages", scrapy="2.11"),
    Project("redis_queue", "scrapy-redis", "redis_queue:items", services=("REDIS",)),
)
"""The projects."""

BROKEN: Final = {
    "scrapy-autounit": ("import scrapy_autounit", "No module named 'scrapy.utils.reqser'"),
    "scrapy-magicfields": ("import scrapy_magicfields", "cannot import name 'BaseItem'"),
    "scrapy-mongodb": ("import scrapy_mongodb", "No module named 'pymongo.mongo_replica_set_client'"),
    "scrapy-selenium": (
        "from scrapy_selenium import SeleniumMiddleware; SeleniumMiddleware('chrome', 'chromedriver', [], None)",
        "unexpected keyword argument 'executable_path'",
    ),
    "scrapy-sentry": ("import scrapy_sentry.extensions", "No module named 'scrapy.utils.reqser'"),
    "scrapy-splitvariants": ("import scrapy_splitvariants", "cannot import name 'DictItem'"),
    "scrapy-wayback-machine": (
        "from scrapy.core.engine import ExecutionEngine; ExecutionEngine.schedule",  # it calls this method
        "has no attribute 'schedule'",
    ),
}
"""Packages that cannot be used with any version of Scrapy that runs here: a program that shows it, and its error."""

OTHERS: Final = {
    "scrapy-playwright": "2.19",
    "scrapy-splash": "2.11",
}
"""Packages that do not run here, with the newest Scrapy that they run with: the manual says what is in their place."""
