"""Products of a page that scripts draw, without a browser: ``crawler run javascript_page.py -o products.jsonl``."""

import json
from collections.abc import Iterator

from crawler import Response, Spider


class Products(Spider):
    """Products from the data that a page brings along."""

    start_urls = ["https://shop.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Read the state of a Next.js application, then data for search engines, then follow the site's own API."""
        state = json.loads(response.css("script#__NEXT_DATA__::text").get("{}"))
        for product in state.get("props", {}).get("pageProps", {}).get("products", []):
            yield {"name": product["name"], "price": product["price"]}
        for product in response.data().json_ld:
            if product.get("@type") == "Product":
                yield {"name": product["name"], "price": product["offers"]["price"]}
        yield response.follow("/api/products?page=2", self.parse_api)

    def parse_api(self, response: Response) -> Iterator[object]:
        """Read a page of the API that the scripts of the site call."""
        for product in response.json():
            yield {"name": product["name"], "price": product["price"]}
