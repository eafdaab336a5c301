"""Products that scripts draw: ``crawler run rendered_page.py -p browser -P browser.every=asked -o products.jsonl``."""

from collections.abc import Iterator

from crawler import Request, Response, Spider


class Products(Spider):
    """A list that grows when it is scrolled, and pages that need no browser."""

    start_urls = ["https://shop.example/"]

    def start(self) -> Iterator[Request]:
        """Ask for the list as a person sees it who has scrolled to its end."""
        for url in self.start_urls:
            yield Request(url, plugins={"browser": {"wait": ".product", "actions": ["scroll"]}})

    def parse(self, response: Response) -> Iterator[object]:
        """Follow the links of the list. Their requests do not ask for the browser."""
        yield from response.follow_all(".product a", self.parse_product)

    def parse_product(self, response: Response) -> Iterator[object]:
        """Read a page as the server sends it."""
        yield {"name": response.css("h1::text").get(), "price": response.css(".price::text").get()}
