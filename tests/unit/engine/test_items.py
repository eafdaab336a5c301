"""`crawl_items` in a script, in asyncio, in trio and in IPython."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
import trio

from crawler import CrawlFailed, Plugin, Produced, Response, Spider, crawl_items
from crawler.testing import FakeSite

SITE = {"/": "<a href='/a'>a</a>", "/a": "x", "/robots.txt": ""}


class Pages(Spider):
    start_urls = ("https://site.test/",)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}
        yield from response.follow_all()


FOUND = [{"url": "https://site.test/"}, {"url": "https://site.test/a"}]


def test_in_a_script_it_returns_a_list_with_the_report() -> None:
    items = crawl_items(Pages(), transport=FakeSite(SITE).transport)
    assert items == FOUND
    assert (items.report.finished, items.report.items) == ("finished", 2)


def test_in_asyncio_it_works_with_await_and_without() -> None:
    async def main() -> None:
        assert crawl_items(Pages(), transport=FakeSite(SITE).transport) == FOUND
        items = await crawl_items(Pages(), transport=FakeSite(SITE).transport)
        assert (items, items.report.pages) == (FOUND, 2)

    asyncio.run(main())


async def test_in_trio_it_is_awaited(autojump_clock: Any) -> None:
    items = await crawl_items(Pages(), transport=FakeSite(SITE).transport)
    assert (items, items.report.pages) == (FOUND, 2)


def test_plugins_see_the_items_first_and_a_crawl_that_fails_raises() -> None:
    class Full(Plugin):
        async def persist(self, batch: Any) -> None:
            raise CrawlFailed("the table is full")

    with pytest.raises(CrawlFailed, match="the table is full"):
        crawl_items(Pages(), plugins=[Full()], transport=FakeSite(SITE).transport)


NOTEBOOK = '''
import asyncio
import warnings
from IPython.core.interactiveshell import InteractiveShell

warnings.simplefilter("error")
shell = InteractiveShell.instance()


async def kernel(*cells):
    """Run cells as ipykernel does: in the event loop of asyncio that the kernel runs."""
    for cell in cells:
        done = await shell.run_cell_async(cell, store_history=True, transformed_cell=shell.transform_cell(cell))
        done.raise_error()


HEAD = """
from crawler import Spider, crawl, crawl_items, run
from crawler.testing import FakeSite

class Pages(Spider):
    start_urls = ["https://site.test/"]
    def parse(self, response):
        yield {"url": response.url}

def site():
    return FakeSite({"/": "x", "/robots.txt": ""}).transport
"""
TRIED = """
import crawler
try:
    await crawl(Pages(), transport=site())
except crawler.ConfigError as error:
    said = str(error)
"""
ONE = [{"url": "https://site.test/"}]
shell.autoawait = True
asyncio.run(kernel(
    HEAD,
    "items = crawl_items(Pages(), transport=site())",
    "awaited = await crawl_items(Pages(), transport=site())",
    "report = run(Pages(), transport=site())",
    TRIED,
))
assert shell.user_ns["items"] == shell.user_ns["awaited"] == ONE
assert shell.user_ns["report"].pages == 1
assert "%autoawait trio" in shell.user_ns["said"]

shell.run_cell("%autoawait trio").raise_error()
for cell in (
    "items = await crawl_items(Pages(), transport=site())",
    "report = await crawl(Pages(), transport=site())",
    "plain = crawl_items(Pages(), transport=site())",
):
    shell.run_cell(cell).raise_error()
assert shell.user_ns["items"] == shell.user_ns["plain"] == ONE
shown, _ = shell.display_formatter.format(shell.user_ns["report"])
print(shown["text/plain"])
print(shown["text/html"])
'''


def test_in_ipython_and_in_a_kernel_await_works(tmp_path: Any) -> None:
    (tmp_path / "notebook.py").write_text(NOTEBOOK, encoding="utf-8")
    words = [sys.executable, "notebook.py"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)
    assert done.stderr == ""
    assert done.returncode == 0
    plain, table = done.stdout.splitlines()
    assert plain.startswith("<Report pages: finished: 1 page, 1 item, 0 failed in ")
    assert table.startswith("<table><tr><th>spider</th><td>pages</td></tr>")
    assert trio.__version__
