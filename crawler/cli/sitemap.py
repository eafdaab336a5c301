"""``crawler sitemap``: the pages that a site lists."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration
from crawler.cli.logs import log_to_stderr, plural, say
from crawler.cli.options import LogLevel, SettingTexts, Url
from crawler.cli.standard_streams import write
from crawler.cli.target import check_url
from crawler.engine.api import run
from crawler.feeds.sitemap_entry import SitemapEntry
from crawler.settings import Settings
from crawler.spiders.sitemap import SitemapSpider

__all__ = ["sitemap"]

SITEMAP_ENDINGS: Final = (".xml", ".xml.gz", ".txt", ".txt.gz", ".rss", ".atom", "/robots.txt")
"""Endings of URLs that are sitemaps themselves, not pages of a site that may have one."""


class _Lister(SitemapSpider):
    """Prints the entries of sitemaps, and fetches no page."""

    name = "sitemap"

    def __init__(self, url: str, *, as_json: bool) -> None:
        path = url.partition("?")[0].lower()
        sitemaps = {"sitemap_urls": [url]} if path.endswith(SITEMAP_ENDINGS) else {"start_urls": [url]}
        super().__init__(**sitemaps)
        self.as_json = as_json
        self.listed = 0

    def entry(self, entry: SitemapEntry) -> SitemapEntry | None:
        """Print a page; follow a sitemap."""
        if entry.kind == "sitemap":
            return entry
        self.listed += 1
        write(f"{msgspec.json.encode(_fields(entry)).decode() if self.as_json else entry.url}\n")
        return None


def _fields(entry: SitemapEntry) -> dict[str, Any]:
    """Return the fields of an entry that have a value, as JSON values."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    return {name: value for name, value in fields.items() if value or value == 0.0}


def sitemap(
    url: Url,
    /,
    *,
    json: Annotated[bool, Argument("Print all fields of each entry, as a JSON object per line.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Print the pages that the sitemaps of a site list.

    It prints one URL per line. URL is a sitemap, an index of sitemaps, or any page of a site, whose robots.txt then
    names the sitemaps. It fetches sitemaps, and no pages.

    Example: crawler sitemap https://news.example/ | wc -l
    """
    log_to_stderr(log_level)
    spider = _Lister(check_url(url), as_json=json)
    configuration = Configuration.load(settings=setting)
    report = run(spider, settings=Settings(grace=0.0) | configuration.settings, plugins=configuration.plugins)
    if report.interrupted:
        raise KeyboardInterrupt
    for kind, urls in report.samples.items():
        if kind in report.failures:
            say(f"crawler: {kind}: {' '.join(urls)}\n")
    if not spider.listed:
        say(f"crawler: no sitemap of {url} lists any page\n")
        return 4
    say(f"{plural(spider.listed, 'page')} in {plural(report.requests, 'request')}\n")
    return 4 if report.failed else 0
