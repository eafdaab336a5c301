"""Cells of a notebook, in the kernel of Jupyter: `crawl_items` with and without `await`, and `%autoawait trio`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipykernel.kernelspec import KERNEL_NAME
from jupyter_client.manager import KernelManager

CELL = """\
from crawler import Settings, Spider, crawl, crawl_items
from crawler.testing import FakeSite

class One(Spider):
    start_urls = ["https://site.test/"]
    settings = Settings(obey_robots=False)

    def parse(self, response):
        yield {"url": response.url}

transport = FakeSite({"/": "x"}).transport
"""
ITEMS = "[{'url': 'https://site.test/'}]"


class Kernel:
    """A kernel in a process of its own."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, cell: str) -> dict[str, str]:
        """Run a cell, and return its result by media type; the text of an error as ``error``."""
        found: dict[str, str] = {}

        def note(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] in ("execute_result", "display_data"):
                found.update(content["data"])
            elif message["msg_type"] == "error":
                found["error"] = f"{content['ename']}: {content['evalue']}"

        self._client.execute_interactive(cell, output_hook=note, timeout=30)
        return found


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager = KernelManager(kernel_name=KERNEL_NAME, transport="ipc")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        kernel = Kernel(client)
        assert kernel.run(CELL) == {}
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_cell_awaits_the_items_of_a_crawl_in_trio(kernel: Kernel) -> None:
    kernel.run("%autoawait trio")
    assert kernel.run("items = await crawl_items(One(), transport=transport)\nitems")["text/plain"] == ITEMS
    assert "<th>pages</th><td>1</td>" in kernel.run("items.report")["text/html"]
    assert "1 page," in kernel.run("await crawl(One(), transport=transport)")["text/plain"]


def test_without_the_line_crawl_items_works_and_crawl_says_what_to_do(kernel: Kernel) -> None:
    kernel.run("%autoawait asyncio")
    assert kernel.run("await crawl_items(One(), transport=transport)")["text/plain"] == ITEMS
    assert kernel.run("crawl_items(One(), transport=transport)")["text/plain"] == ITEMS
    assert "%autoawait trio" in kernel.run("await crawl(One(), transport=transport)")["error"]
