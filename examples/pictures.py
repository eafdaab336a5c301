"""Products with their manuals and pictures, which the plugins `files` and `images` download.

::

    python -m crawler run examples/pictures.py -o products.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler_plugins.files import Files, Images

from crawler import Response, Spider


class Products(Spider):
    """Yields a product per page, and the URLs of its files."""

    start_urls = ["https://shop.example/"]
    plugins = [Files(types=("application/pdf",)), Images(min_width=20, thumbs={"small": (120, 120)})]

    def parse(self, response: Response) -> Iterator[dict[str, object]]:
        """Yield the product of a page."""
        yield {
            "name": response.css("h1::text").get(),
            "file_urls": response.css("a.manual::attr(href)").getall(),
            "image_urls": response.media(),
        }
