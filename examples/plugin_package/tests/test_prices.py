"""The plugin `prices`, in a crawl without a network."""

import pytest
from crawler_prices.prices import Prices, parse_price

from crawler import ConfigError, Settings, Spider
from crawler.testing import FakeSite, collect


class Books(Spider):
    start_urls = ["https://books.test/1", "https://books.test/2"]
    settings = Settings(obey_robots=False, workers=1)

    def parse(self, response):
        return {"url": response.url, "price": response.text}


SITE = FakeSite({"https://books.test/1": "£1,299.00", "https://books.test/2": "sold out"})


async def test_prices_become_numbers(autojump_clock):
    found = await collect(Books(), SITE, plugins=[Prices()])
    assert [item["price"] for item in found.items] == [1299.0, None]
    assert found.report.counters["prices price"] == 2


async def test_items_without_a_price_can_be_dropped(autojump_clock):
    found = await collect(Books(), SITE, plugins=[Prices(then="drop")])
    assert [item["price"] for item in found.items] == [1299.0]
    assert found.report.dropped == {"no price": 1}


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("£51.77", 51.77),
        ("1.299,50 €", 1299.5),
        ("CHF 1'299.-", 1299.0),
        ("$1,299", 1299.0),
        ("12.5", 12.5),
        ("free", None),
    ],
)
def test_formats_of_prices(text, price):
    assert parse_price(text) == price


def test_a_plugin_without_fields_is_refused():
    with pytest.raises(ConfigError, match="prices: give at least one field"):
        Prices(fields=())
