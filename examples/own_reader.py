"""Read a file whose last line says that it is whole.

::

    python -m crawler run examples/own_reader.py -o prices.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import IncompleteBody, Response, Spider


class Prices(Spider):
    """Lines of a list of prices, which ends with ``END``."""

    start_urls = ["https://shop.example/prices.txt"]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the lines. A list without its end is fetched again."""
        *lines, last = response.text.splitlines()
        if last != "END" and response.complete:
            raise IncompleteBody("the list has no END")
        yield from ({"line": line} for line in lines)
