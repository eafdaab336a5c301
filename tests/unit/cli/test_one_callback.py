"""What one callback of a spider makes of one page."""

from __future__ import annotations

import pytest

from crawler import Request, Settings, Spider
from crawler.cli.one_callback import run_callback
from crawler.testing import FakeSite, Page

URL = "https://site.test/"


class Books(Spider):
    def start(self):
        raise RuntimeError("not called")

    def parse(self, response):
        yield {"url": response.url}
        yield Request("https://elsewhere.test/", dont_filter=True)

    def broken(self, response):
        yield {"url": response.url}
        raise ValueError("no shelf")


def outcome(pages, callback="parse"):
    site = FakeSite(pages)
    settings = Settings(obey_robots=False, attempts=1, outage_patience=0)
    found = run_callback(Books(), Request(URL, callback), settings=settings, transport=site.transport)
    return found, site


def test_items_and_requests_are_returned_and_nothing_is_followed():
    found, site = outcome({"/": "x"})
    assert found.items == [{"url": URL}]
    assert [request.url for request in found.requests] == ["https://elsewhere.test/"]
    assert found.response is not None
    assert (found.failure, len(site.log)) == (None, 1)


@pytest.mark.parametrize(
    ("page", "callback", "text"), [(Page(status=404), "parse", "404"), ("x", "broken", "no shelf")]
)
def test_a_failure_is_returned(page, callback, text):
    found, _ = outcome({"/": page}, callback)
    assert text in str(found.failure.error)
    assert found.items == []
