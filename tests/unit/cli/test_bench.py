"""``crawler bench``: a crawl that is measured. What is measured is not tested, but that it is all there and true."""

from __future__ import annotations

import json

import pytest

from crawler.html import Selector
from crawler.testing.bench import LINKS, page


def test_it_crawls_every_page_once_and_tells_what_that_took(command, tmp_path):
    code, out, err = command("bench", "--pages", "40")
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first == f"finished: 40 of 40 pages, 20 kB with {LINKS} links each"
    assert [line.split()[0] for line in lines] == ["speed", "cpu", "memory", "server", "machine"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--job"]])
def test_programs_get_it_as_json(command, more):
    code, out, err = command("bench", "--pages", "20", "--json", *more)
    assert (code, err) == (0, "")
    figures = json.loads(out)
    assert (figures["finished"], figures["pages"], figures["items"], figures["requests"]) == ("finished", 20, 20, 21)
    assert figures["pages_per_second"] == pytest.approx(20 / figures["seconds"], rel=0.1)
    assert all(figures[name] > 0 for name in ("cpu_seconds", "server_cpu_seconds", "peak_rss", "bytes"))


@pytest.mark.parametrize("pages", [1, 2, 7, 100])
def test_every_page_of_the_site_can_be_reached(pages):
    seen, waiting = {0}, [0]
    while waiting:
        links = _links(page(waiting.pop(), pages))
        assert len(links) == LINKS
        waiting += set(links) - seen
        seen |= set(links)
    assert seen == set(range(pages))


def _links(body):
    """The numbers of the pages that a page leads to."""
    hrefs = Selector(body.decode()).css("a::attr(href)").getall()
    return [int(href.removeprefix("/page/") if href != "/" else 0) for href in hrefs]
