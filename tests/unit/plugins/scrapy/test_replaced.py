"""A crawl of a Scrapy spider leaves the process as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from crawler_plugins.scrapy import replaced
from scrapy.http import request
from scrapy.linkextractors import LinkExtractor

PROGRAM = """
import mimetypes, os, re, socket, sys, threading, warnings

import itemadapter, lxml.html, parsel, pydantic, scrapy, trio, twisted.internet.main, twisted.internet.task, w3lib.url
import scrapy.crawler, scrapy.linkextractors.lxmlhtml, scrapy.mail, scrapy.selector.unified, scrapy.utils.response

OURS = ("crawler", "support", "__main__")

def members():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS or name.startswith("importlib"):
            continue
        for key, value in list(getattr(module, "__dict__", {}).items()):
            if callable(value):
                found[f"{name}.{key}"] = value
            if isinstance(value, type) and value.__module__ == name:
                methods = {f"{name}.{key}.{one}": part for one, part in vars(value).items() if callable(part)}
                found.update(methods)
    return found

before = members()
finders, hooks = list(sys.meta_path), list(sys.path_hooks)

from support.scrapy_site import run_scrapy
from scrapy.linkextractors import LinkExtractor

class Pages(scrapy.Spider):
    name = "pages"
    start_urls = ["https://site.test/"]

    def parse(self, response):
        yield {"url": response.url, "title": response.css("title::text").get()}
        for link in LinkExtractor().extract_links(response):
            yield scrapy.Request(link.url)
        yield from response.follow_all(css="a")

async def main():
    page = "<html><title>t</title><a href=/b>b</a></html>"
    ran = await run_scrapy(Pages, {"/": page, "/b": page})
    assert len(ran.items) == 2, ran.items

trio.run(main)
assert (sys.meta_path, sys.path_hooks) == (finders, hooks)
after = members()
print(*(name for name, value in before.items() if after.get(name) is not value), sep="\\n")
"""
REPLACED = {
    "scrapy.http.request.safe_url_string",
    "scrapy.linkextractors.lxmlhtml.LxmlLinkExtractor.extract_links",
    # so that a file that starts Scrapy itself is refused, see `crawler_plugins.scrapy.processes`
    "scrapy.crawler.AsyncCrawlerProcess.__init__",
    "scrapy.crawler.AsyncCrawlerRunner.crawl",
    "scrapy.crawler.CrawlerProcess.__init__",
    "scrapy.crawler.CrawlerRunner.crawl",
    "scrapy.utils.log.configure_logging",
}


def test_nothing_but_what_is_listed_is_replaced():
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], check=False, capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert set(ran.stdout.split()) == REPLACED


def test_it_is_replaced_once():
    replaced.install()
    before = LinkExtractor.extract_links, request.safe_url_string
    replaced.install()
    assert (LinkExtractor.extract_links, request.safe_url_string) == before
