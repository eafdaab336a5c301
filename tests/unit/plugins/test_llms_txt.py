"""The plugin `llms_txt`."""

from __future__ import annotations

import time

from crawler_plugins.llms_txt import LINK, LlmsTxt

from crawler.hooks.load import load_plugin
from crawler.spiders import SiteSpider
from crawler.testing import FakeSite, Page, collect

FILE = """# Site

> What it is

## Docs
- [One](/one.md): the first
- [Other](https://other.test/x), [two]( <two page.html>) [mail](mailto:a@b.test) [bad](javascript:x)
- <https://site.test/three>
"""


async def urls(file, **pages):
    site = FakeSite({"/": "<a href=/a>a</a>", "/a": "x", "/llms.txt": file} | pages)
    found = await collect(SiteSpider("https://site.test/"), site, plugins=[LlmsTxt()])
    return {item["url"].removeprefix("https://site.test") for item in found.items}, found.report


async def test_the_file_and_its_links_are_pages_of_the_crawl(autojump_clock):
    text = Page(FILE, headers={"Content-Type": "text/plain"})
    found, report = await urls(text, **{"/one.md": "x", "/three": "x", "/two": "x"})
    assert found == {"/", "/a", "/llms.txt", "/one.md", "/three", "/two"}
    assert report.failed == 0


async def test_a_missing_file_is_not_a_failure(autojump_clock):
    found, report = await urls(Page("none", status=404))
    assert (found, report.failed, report.exit_code("0")) == ({"/", "/a"}, 0, 0)


async def test_an_html_page_in_its_place_is_a_page_like_others(autojump_clock):
    found, _ = await urls("[x](/one.md) <a href=/b>b</a>", **{"/one.md": "x", "/b": "x"})
    assert found == {"/", "/a", "/llms.txt", "/b"}


def test_hostile_text_takes_linear_time():
    started = time.thread_time()
    for text in ("](" * 200_000, "](" + " " * 400_000, "<https://" * 50_000, "]( <" * 100_000):
        LINK.findall(text)
    assert time.thread_time() - started < 2


def test_llms_txt_is_installed():
    assert load_plugin("llms_txt") is LlmsTxt
